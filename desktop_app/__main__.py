"""Start the app: `python -m desktop_app`, or `noiseloom` where it is installed."""

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Open the window and run until it is closed; returns the exit code."""
    options = _parser().parse_args(arguments)
    from desktop_app.app import make_application, open_window, run
    from desktop_app.settings import AppSettings, load_settings

    app = make_application(sys.argv[:1])
    settings = AppSettings(theme="dark") if options.tour else load_settings()
    if options.theme:
        settings = settings.with_changes(theme=options.theme)
    window = open_window(settings, options.file)
    if options.tour is None:
        return run(app, window)
    from desktop_app.tour import Tour

    tour = Tour(window, options.tour)
    return run(app, window) or tour.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="noiseloom", description="Watch, generate and train diffusion models on digits."
    )
    parser.add_argument("file", type=Path, nargs="?", help="a lesson, or a file that Noiseloom exported, to open")
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="how it looks; remembered")
    parser.add_argument("--tour", type=Path, metavar="DIR", help="draw a grid, save pictures of it in DIR, and leave")
    return parser


if __name__ == "__main__":
    sys.exit(main())
