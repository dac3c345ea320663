"""`ml models`: list the bundled models and your own."""

import json
import sys

from ml.cli.options import AsJson
from ml.system import paths


def models(as_json: AsJson = False) -> int:
    """List the bundled models and your own."""
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
