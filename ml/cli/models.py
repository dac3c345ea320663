"""`ml models`: list the bundled models and your own, import one, or keep the best checkpoint of a run."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ml.cli.console import scores_in_words
from ml.cli.options import AsJson
from ml.errors import BadFile, BadRequest
from ml.system import paths


def models(
    action: Annotated[
        Literal["import", "keep"] | None,
        typer.Argument(help="Import a model, or keep a checkpoint of a run as its model; default: list them."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Argument(help="import: a model's file, or a folder that diffusers saved. keep: a run or its folder."),
    ] = None,
    step: Annotated[int | None, typer.Option(help="keep: the step of the checkpoint; default: the best score.")] = None,
    network: Annotated[str, typer.Option(help="The network of plain weights that fit several.")] = "",
    as_json: AsJson = False,
) -> int:
    """List the bundled models and your own, import one, or keep the best checkpoint of a run."""
    if action == "keep":
        return _keep(source, step)
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


def _keep(run: Path | None, step: int | None) -> int:
    if run is None:
        raise BadRequest("The checkpoint of which run?", f"Name one: {paths.COMMAND} models keep RUN --step N")
    from ml.registry import local_models, model_cards
    from ml.tracking import score_curve

    path = model_cards.find(str(run))
    card = model_cards.card(path)
    if card is None:
        raise BadFile(f"{path} cannot be read.", "Choose another run.")
    points = score_curve.load_scores(path.parent)
    chosen = score_curve.best(points) if step is None else None
    if step is None and chosen is None:
        raise BadRequest(f"No checkpoint of {card.name!r} has a score.", "Name a step (--step), or train with --score.")
    local_models.keep_snapshot(card, chosen.step if chosen else step or 0)
    scored = next((point for point in points if point.step == (chosen.step if chosen else step)), None)
    print(f"{path}: {scores_in_words(scored) if scored else f'step {step}'}")
    return 0
