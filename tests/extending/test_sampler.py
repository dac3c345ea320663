"""A sampler is added in two files, and then is everywhere."""

import json
from pathlib import Path

from tests.support.recipes import Copy

USE_IT = """
import json
from pathlib import Path

from PySide6.QtWidgets import QApplication

from ml.cli.app import main
from ml.export import files
from ml.generation import pipeline

asked = ["sample", "--labels", "7,3", "--sampler", "ab2", "--steps", "4", "--seed", "1", "--device", "cpu"]
codes = [main([*asked, "--out", "ab2.png"]), main(["verify", "ab2.png"]), main(["sample", "--help"])]
figure = ["compare", "--rows", "sampler=ddim,ab2", "--steps", "2", "--labels", "7", "--device", "cpu"]
codes += [main([*figure, "--out", "figure.png"]), main(["verify", "figure.png"])]
request, _ = files.read_request(Path("ab2.png"))
branch = request.with_changes(parent=request, branch_at=2)
(*_, whole), (*_, same) = (pipeline.sample(asked, device="cpu", frames=False) for asked in (request, branch))

from desktop_app.app import open_window
from desktop_app.settings import AppSettings
from desktop_app.widgets.controls.rows import ChoiceRow
from desktop_app.widgets.window.help_card import formula_of

app = QApplication([])
window = open_window(AppSettings(reduced_motion=True))
offered = {}
for page in ("generate", "compare"):
    row = next(row for row in window.page(page).findChildren(ChoiceRow) if row.combo.findData("ab2") >= 0)
    row.set_value("ab2")
    offered[page] = (row.combo.currentText(), formula_of(row).paper)
print(json.dumps({
    "codes": codes,
    "calls": whole.network_calls,
    "continues": bool((whole.images == same.images).all()),
    "offered": offered,
}))
"""


def test_a_sampler_of_two_files_is_drawn_with_listed_explained_and_compared(tmp_path: Path) -> None:
    program = Copy(tmp_path)
    program.apply("A sampler")
    assert program.changed() == {"ml/diffusion/samplers.py", "ml/specs.py"}
    said = program.run(USE_IT)
    found = json.loads(said.splitlines()[-1])
    assert found["codes"] == [0] * 5 and found["calls"] == 4 and found["continues"]
    assert "|ab2>" in said and "Adams-Bashforth" in said  # in the help, and beside a row of the comparison
    in_a_list = ["Adams-Bashforth", "Liu et al. 2022: PNDM"]
    assert found["offered"] == {"generate": in_a_list, "compare": in_a_list}
