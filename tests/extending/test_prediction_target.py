"""A prediction target is added in two files, and then is trained, sampled with and offered."""

import json
from pathlib import Path

from tests.support.recipes import Copy
from tests.support.tiny_model import tiny_config

USE_IT = """
import json
from pathlib import Path

from PySide6.QtWidgets import QApplication

from ml.cli.app import main
from ml.data import synthetic
from ml.registry.checkpoint import load_header

synthetic.COUNT_AND_SEED = {"train": (200, 0), "test": (50, 1)}  # thirty thousand take seconds to draw
train = ["train", "--config", "tiny.json", "--steps", "3", "--run-dir", "run", "--device", "cpu"]
codes = [main([*train, "--set", "model.prediction=residual", "--set", "weighting=min-snr"])]
for name in ("ddim", "heun"):
    codes.append(main(["sample", "--model", "run", "--labels", "7", "--sampler", name, "--out", f"{name}.npz"]))

from desktop_app.app import open_window
from desktop_app.settings import AppSettings
from desktop_app.widgets.controls.rows import ChoiceRow
from desktop_app.widgets.window.help_card import formula_of

app = QApplication([])
window = open_window(AppSettings(reduced_motion=True))
offered = [row for row in window.page("train").findChildren(ChoiceRow) if row.combo.findData("residual") >= 0]
for row in offered:
    row.set_value("residual")
print(json.dumps({
    "codes": codes,
    "prediction": load_header(Path("run/model.safetensors")).model.prediction,
    "lists": [row.combo.currentText() for row in offered],
    "formulas": [formula_of(row).paper for row in offered],
}))
"""


def test_a_prediction_target_of_two_files_is_trained_sampled_and_offered(tmp_path: Path) -> None:
    program = Copy(tmp_path)
    program.apply("A prediction target")
    assert program.changed() == {"ml/diffusion/parameterization.py", "ml/specs.py"}
    (tmp_path / "tiny.json").write_text(tiny_config().model_dump_json(), encoding="utf-8")
    found = json.loads(program.run(USE_IT).splitlines()[-1])
    assert found["codes"] == [0] * 3 and found["prediction"] == "residual"
    assert found["lists"] == ["residual r"] and found["formulas"] == ["Zhang et al. 2017: DnCNN"]
