"""Pictures of the bundled models for their tiles: `python -m desktop_app.diagnostics.model_previews [DIR]`."""

import sys
from pathlib import Path

from desktop_app import model_preview
from desktop_app.tasks.models import draw_preview
from desktop_app.viewmodels.models import PREVIEWED, Models
from ml.control import RunControl
from ml.events import Sampled
from ml.registry import model_cards
from ml.registry.checkpoint import file_hash
from ml.system import paths


def main(folder: Path) -> int:
    """Draw and write the pictures of every bundled model; returns the exit code."""
    for card in model_cards.cards():
        if card.bundled and Models.draws(card):
            (done,) = [event for event in draw_preview(card, PREVIEWED, RunControl()) if isinstance(event, Sampled)]
            path = folder / f"{card.name}.png"
            model_preview.write(path, done.images, file_hash(card.path))
            print(f"{path.name}: {path.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else paths.resources() / "previews"))
