"""`ml models`: list the bundled models and your own, or import one."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ml.cli.options import AsJson
from ml.errors import BadRequest
from ml.system import paths


def models(
    action: Annotated[Literal["import"] | None, typer.Argument(help="Import a model; default: list them.")] = None,
    source: Annotated[
        Path | None, typer.Argument(help="A model's file, or the folder of a pipeline that diffusers saved.")
    ] = None,
    network: Annotated[str, typer.Option(help="The network of plain weights that fit several.")] = "",
    as_json: AsJson = False,
) -> int:
    """List the bundled models and your own, or import one."""
    if action == "import":
        return _import(source, network)
    from ml.registry import model_cards

    cards = model_cards.cards()
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in cards], indent=1))
        return 0
    for card in cards:
        made = f"{card.header.model.network} on {card.header.data or 'unknown data'}, {card.header.steps} steps"
        whose = "bundled" if card.bundled else "own"
        print(f"{card.name:<24}{whose:<9}{card.path.stat().st_size / 1e6:5.1f} MB  {made}  {card.title}".rstrip())
    if not cards:
        print(f"No models yet. Train one: {paths.COMMAND} train --help", file=sys.stderr)
    return 0


def _import(source: Path | None, network: str) -> int:
    if source is None:
        raise BadRequest("What to import?", f"Name a file or a folder: {paths.COMMAND} models import FOLDER")
    from ml.registry import local_models

    taken = local_models.import_model(source, network)
    if not isinstance(taken, str):
        fits = ", ".join(taken.kinds)
        raise BadRequest(f"{source.name} fits several networks.", f"Choose one with --network: {fits}.")
    print(taken)
    return 0
