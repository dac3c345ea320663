"""Screenshots of every page, for the README: `python -m desktop_app.diagnostics.screenshots [DIR]`.

Needs no display and no data. Uses MNIST for training and comparison if found (`NOISELOOM_DATA`, or `../shared/data`).
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from desktop_app.diagnostics.scenes import SCENES, Condition, Scene
from desktop_app.settings import AppSettings, TrainSettings
from desktop_app.theme.controller import theme
from desktop_app.window.main_window import MainWindow
from ml.system import paths

SIZE = (1280, 800)
SHOTS = {  # scene: theme
    "train": "dark",
    "machine": "light",
    "generate": "dark",
    "branch": "light",
    "xray": "dark",
    "interpolate": "light",
    "draw": "dark",
    "compare": "light",
    "race": "dark",
    "explore": "light",
    "models": "dark",
}
PREVIEWS = 8  # of the run, before it is shown
PATIENCE_S, SETTLE_S = 300, 0.4


def main(folder: Path) -> int:
    """Take all screenshots; returns the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="noiseloom-") as home:
        os.environ |= {"NOISELOOM_HOME": home}
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from desktop_app.app import make_application, open_window

        make_application(sys.argv[:1])
        root = data_root()
        data = "mnist" if root else "synthetic"
        window = open_window(AppSettings(data_root=root, train=TrainSettings(data=data), reduced_motion=True))
        window.resize(*SIZE)
        play(SCENES["train"], window)
        wait(lambda: len(window.session.train.previews) >= PREVIEWS)
        for name, mode in SHOTS.items():
            theme().set_mode("dark" if mode == "dark" else "light")
            play(SCENES[name], window)
            save(window, folder / f"{name}-{mode}.png")
            if name == "machine":
                window.session.train.stop()
        window.close()
        wait(lambda: not window.session.context.engine.running)
    return 0


def data_root() -> Path | None:
    """The folder that contains MNIST, or None."""
    given = os.environ.get("NOISELOOM_DATA")
    root = Path(given) if given else paths.resources().parent.parent / "shared" / "data"
    return root if (root / "MNIST" / "raw").is_dir() else None


def play(scene: Scene, window: MainWindow) -> None:
    """Play a scene, and let the window settle."""
    for condition in scene(window):
        wait(condition)
    window.messages.dismiss()
    window.setFocus()  # no focus ring
    end = time.monotonic() + SETTLE_S
    wait(lambda: time.monotonic() > end)


def wait(condition: Condition) -> None:
    """Run the application until a condition holds; raises TimeoutError."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("The page did not reach its state in time.")
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        time.sleep(0.005)


def save(window: MainWindow, path: Path) -> None:
    """Save the window as a PNG with an adaptive palette that keeps rare colours."""
    window.grab().save(str(path))
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    few = whole.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else paths.resources() / "screenshots"))
