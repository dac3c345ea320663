"""Start the app: `python -m desktop_app`, or `noiseloom` where it is installed."""

import argparse
import gc
import sys
from pathlib import Path

from ml import __version__
from ml.distributed.torchrun import launched

WITHOUT_SCREEN = ("offscreen", "minimal")  # platforms of Qt without a screen


def main(arguments: list[str] | None = None) -> int:
    """Open the window and run until it is closed; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["ml"]:  # the command line of the packaged program, which needs no Python
        from ml.cli.app import main as command

        return command(arguments[1:])
    if launched():
        print("The window runs in one process. Start it without torchrun.", file=sys.stderr)
        return 2
    options = make_parser().parse_args(arguments)
    if options.self_test:
        from desktop_app.diagnostics.self_test import self_test

        return self_test()
    gc.disable()  # no collections during the imports; the session collects garbage itself
    if options.startup_report:
        from desktop_app.diagnostics.startup_report import startup_report

        return startup_report(options.json)
    from PySide6.QtCore import Qt

    from desktop_app.app import make_application, open_window, run
    from desktop_app.settings import AppSettings, load_settings, settings_file

    app = make_application(sys.argv[:1])
    first_start = not settings_file().exists()
    settings = AppSettings(theme="dark") if options.tour else load_settings()
    if options.theme:
        settings = settings.with_changes(theme=options.theme)
    window = open_window(settings, options.file)
    if first_start and not options.file and not options.tour and app.platformName() not in WITHOUT_SCREEN:
        window.session.context.ready.connect(window.start_first_tour, Qt.ConnectionType.SingleShotConnection)
    if options.tour is None:
        return run(app, window)
    from desktop_app.diagnostics.headless_demo import Tour

    tour = Tour(window, options.tour)
    return run(app, window) or tour.code


def make_parser() -> argparse.ArgumentParser:
    """The options of the program."""
    parser = argparse.ArgumentParser(
        prog="noiseloom",
        description="Generate images with diffusion models, train such models, and watch both.",
        epilog="noiseloom ml COMMAND is the command line; noiseloom ml --help lists it.",
    )
    parser.add_argument("file", type=Path, nargs="?", help="a lesson, project or exported file to open")
    parser.add_argument("--version", action="version", version=f"Noiseloom {__version__}")
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="color theme; kept for the next start")
    parser.add_argument("--tour", type=Path, metavar="DIR", help="generate a grid, save images of it in DIR, and quit")
    parser.add_argument("--self-test", action="store_true", help="check every part once, without a window, and quit")
    parser.add_argument("--startup-report", action="store_true", help="print how long the start takes, and quit")
    parser.add_argument("--json", action="store_true", help="with --startup-report: print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
