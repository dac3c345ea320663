"""An export format is added in two files, and then is written, read, proved and offered."""

import json
from pathlib import Path

from tests.support.recipes import Copy

USE_IT = """
import json
from pathlib import Path

from ml.cli.app import main
from ml.export import files

asked = ["sample", "--labels", "3,8", "--steps", "2", "--device", "cpu", "--out"]
codes = [main([*asked, name]) for name in ("x.png", "x.pnm")]
codes += [main([*asked, "sheet.pnm", "--sheet"])]
codes += [main(["verify", name]) for name in ("x.pnm", "sheet.pnm")]
codes += [main(["export", "--from-image", "x.pnm", "--out", "again.gif"]), main(["sample", "--help"])]
same = files.read_pixels("x.png").tobytes() == files.read_pixels("x.pnm").tobytes()
content = bytearray(Path("x.pnm").read_bytes())
content[-1] ^= 255
Path("changed.pnm").write_bytes(content)
Path("cut.pnm").write_bytes(content[:-1])
refused = [main(["verify", name]) for name in ("changed.pnm", "cut.pnm")]

from PySide6.QtWidgets import QApplication, QMenu

from desktop_app.app import open_window
from desktop_app.settings import AppSettings

app = QApplication([])
window = open_window(AppSettings(reduced_motion=True))
offered = {}
for page in ("generate", "draw", "interpolate"):
    actions = [action.text() for menu in window.page(page).findChildren(QMenu) for action in menu.actions()]
    offered[page] = [text for text in actions if "PNM" in text]
print(json.dumps({"codes": codes, "same": same, "refused": refused, "offered": offered}))
"""


def test_an_export_format_of_two_files_is_written_read_proved_and_offered(tmp_path: Path) -> None:
    program = Copy(tmp_path)
    program.apply("An export format")
    assert program.changed() == {"ml/export/pnm.py", "ml/export/formats.py"}
    said = program.run(USE_IT)
    found = json.loads(said.splitlines()[-1])
    assert found["codes"] == [0] * 7 and found["same"] and found["refused"] == [1, 2]
    assert ".pnm" in said.split("--out")[1]
    both = ["Grid (PNM)", "Labelled sheet (PNM)"]
    assert found["offered"] == {"generate": both, "draw": both, "interpolate": ["Strip of the walk (PNM)"]}
