"""Nothing is sent anywhere: drawing, training and the window open no connection."""

import os
import subprocess
import sys
from pathlib import Path

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent
WORK = """
import sys

asked = []

def hear(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        asked.append((event, arguments[-1]))

sys.addaudithook(hear)
from PySide6.QtCore import QTimer
from desktop_app.app import make_application, open_window, run
from desktop_app.settings import load_settings
from ml.cli.app import main
from ml.data import synthetic

synthetic.COUNT_AND_SEED = {"train": (500, 0), "test": (500, 1)}  # more of them are no other work
folder = sys.argv[1]
size = ["--set", "model.widths=[8,16]", "--set", "steps=3", "--set", "data=synthetic"]
codes = [
    main(["sample", "--labels", "3", "--out", f"{folder}/3.png"]),
    main(["verify", f"{folder}/3.png"]),
    main(["train", "--preset", "toy", "--run-dir", f"{folder}/run", *size]),
    main(["doctor"]),
]
app = make_application(["noiseloom"])
window = open_window(load_settings())
window.session.generate.judged.connect(lambda: QTimer.singleShot(0, window.close))
codes.append(run(app, window))
print(codes, asked)
"""


def test_nothing_is_sent_anywhere(tmp_path: Path) -> None:
    environment = os.environ | {"NOISELOOM_HOME": str(tmp_path / "home"), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-W", "ignore", "-c", WORK, str(tmp_path)]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0, 0] []", done.stdout
