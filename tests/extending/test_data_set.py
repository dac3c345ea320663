"""A data set is added in three files, and then is loaded, trained on and offered."""

import json
from pathlib import Path

from tests.support.recipes import Copy
from tests.support.tiny_model import tiny_config

USE_IT = """
import json
from pathlib import Path

from PySide6.QtWidgets import QApplication

from ml.cli.app import main
from ml.data import datasets
from ml.data.dataset import Form
from ml.registry.checkpoint import load_header

sets = [datasets.load("stripes"), datasets.load("stripes", split="test", form=Form(16, 3))]
train = ["train", "--config", "tiny.json", "--data", "stripes", "--steps", "3", "--run-dir", "run", "--device", "cpu"]
codes = [main(train), main(["sample", "--model", "run", "--labels", "0,1", "--out", "x.png"])]

from desktop_app.app import open_window
from desktop_app.settings import AppSettings
from desktop_app.widgets.controls.rows import ChoiceRow

app = QApplication([])
window = open_window(AppSettings(reduced_motion=True))
offered = [row.combo.findText("Stripes") for row in window.page("train").findChildren(ChoiceRow)]
print(json.dumps({
    "shapes": [list(found.images.shape) for found in sets],
    "classes": sets[0].classes,
    "codes": codes,
    "data": load_header(Path("run/model.safetensors")).data,
    "offered": sum(index >= 0 for index in offered),
}))
"""


def test_a_data_set_of_three_files_is_loaded_trained_on_and_offered(tmp_path: Path) -> None:
    program = Copy(tmp_path)
    program.apply("A data set")
    assert program.changed() == {"ml/data/stripes.py", "ml/data/datasets.py", "ml/specs.py"}
    (tmp_path / "tiny.json").write_text(tiny_config().model_dump_json(), encoding="utf-8")
    found = json.loads(program.run(USE_IT).splitlines()[-1])
    assert found["shapes"] == [[1000, 1, 28, 28], [100, 3, 16, 16]] and found["classes"] == ["across", "down"]
    assert found["codes"] == [0, 0] and found["data"] == "stripes" and found["offered"] == 1
