"""What is to be seen on a GPU, tried on the CPU in tiny form: every part runs, says what it found, and is kept."""

import json
import subprocess
import sys
import tarfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.cli.benchmark import ROOT
from ml.cli.console import BAD_INPUT, FAILED, Line
from ml.config import TrainConfig
from ml.training.trainer import train
from tests.benchmarks import __main__ as entry
from tests.benchmarks import gpu
from tests.benchmarks.common import installed
from tests.patience import WAIT_S
from tests.support.tiny_model import TINY as TINY_MODEL
from tests.support.tiny_model import few_digits, tiny_config

TINY = {
    "device": "cpu", "minutes": WAIT_S, "preset": "tiny", "large": "tiny", "steps": 6, "moves": 2, "train_s": 0.1,
    "stop_s": WAIT_S, "batches": [2], "draws": [2], "peer_steps": 1, "rounds": 1, "short_s": 1e-3, "long_s": 1e-3,
    "judged": 100,
}  # fmt: skip
PARTS = [part.key for part in gpu.PARTS if part.key != "colour"]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_run: Path) -> dict[str, Any]:
    """A plan for a tiny model, whose preset is the only one there is, and some digits."""

    def load(name: str) -> TrainConfig:
        assert name == "tiny"
        return tiny_config(batch_size=4)

    monkeypatch.setattr("ml.registry.presets.load", load)
    run = str(tiny_run)
    return TINY | {"full": run, "student": run, "models": [run], "parts": PARTS}


def findings(plan: dict[str, Any], root: Path | None) -> dict[str, dict[str, Any]]:
    """What is found, by the parts that are measured."""
    *_, found = gpu.measure(gpu.GpuPlan.model_validate(plan), root, Line())
    return dict(zip(plan["parts"], found["findings"], strict=True))


def test_every_part_runs_and_says_what_it_found(tiny: dict[str, Any], tmp_path: Path) -> None:
    found = findings(tiny, few_digits(tmp_path / "data"))
    states = {key: one["state"] for key, one in found.items()}
    measured = dict.fromkeys(("slider", "training", "drawing", "right"), "measured")
    assert states == {"images": "holds", "resume": "holds", "memory": "skipped", "stop": "holds", **measured} | {
        "distance": "skipped"
    }, found
    assert set(found["images"]["figures"]["apart"].values()) == {0}
    assert found["resume"]["figures"]["most"] == 0 and 0 < found["resume"]["figures"]["at"] < 6
    assert found["slider"]["figures"]["student, one step"]["bar_ms"] == 1
    assert all(rate > 0 for rate in found["training"]["figures"].values())
    assert found["right"]["figures"]["looks"] and found["right"]["figures"]["seconds_to_98"] is None


def test_a_check_that_fails_is_told_by_the_exit_code_and_the_others_are_kept(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[list[str]] = []

    def broken(_bench: gpu.Bench) -> gpu.Outcome:
        kept.append([one["state"] for one in json.loads((tmp_path / "out" / "gpu.json").read_text())["findings"]])
        raise RuntimeError("CUDA error: an illegal memory access\nwas encountered")

    def holds(said: str) -> Any:
        return lambda _bench: gpu.Outcome(said, {}, said == "fine")

    parts = [
        gpu.Part("images", "Images", holds("fine")),
        gpu.Part("resume", "Runs", broken),
        gpu.Part("stop", "Stop", holds("not")),
    ]
    monkeypatch.setattr(gpu, "PARTS", (*parts, gpu.Part("colour", "Colour", holds("fine"), lambda plan: 1e9)))
    sets = [f"--set={name}={json.dumps(value)}" for name, value in tiny.items() if name != "parts"]
    assert entry.main(["gpu", "--json", "--out", str(tmp_path / "out"), *sets]) == FAILED
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["failed"] == ["Runs", "Stop"] and kept == [["holds"]]
    assert [one["state"] for one in found["findings"]] == ["holds", "fails", "fails", "skipped"]
    assert "fails    Runs: RuntimeError: CUDA error: an illegal memory access" in said.err
    assert (
        "Traceback" in found["findings"][1]["trace"] and "it takes about 1000000000 s" in found["findings"][3]["said"]
    )


def test_what_lacks_data_or_a_gpu_is_skipped_or_refused(
    tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = findings(tiny | {"parts": ["resume", "colour"]}, tmp_path)
    assert [one["state"] for one in found.values()] == ["skipped", "skipped"]
    assert "neither CIFAR-10 nor" in found["colour"]["said"]
    if gpu.choose_device().torch_device.type != "cuda":
        assert entry.main(["gpu"]) == BAD_INPUT
        assert "No CUDA device was found" in capsys.readouterr().err


@pytest.mark.slow
def test_the_colour_model_is_trained_and_judged_beside_the_bundled_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    for split, kind, number in product(("train", "test"), ("cat", "ship"), range(40)):
        folder = images / split / kind
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels // (1 + (kind == "cat"))).save(folder / f"{number}.png")
    config = tiny_config(model=TINY_MODEL.model_dump() | {"channels": 3, "image_size": 16, "num_classes": 2}, steps=2)
    (tmp_path / "root").mkdir()
    with tarfile.open(tmp_path / "root" / gpu.TAR, "w:gz") as archive:
        archive.add(images, "")
    for _ in train(config.with_changes(data=f"folder:{images}"), tmp_path / "bundled", device="cpu"):
        pass
    monkeypatch.setattr("ml.registry.presets.load", lambda _name: config)
    monkeypatch.setattr("ml.training.judges.LEAST_IMAGES", 128)
    plan = TINY | {"parts": ["colour"], "colour": str(tmp_path / "bundled"), "colour_minutes": 1e-3}
    found = findings(plan | {"keep": str(tmp_path / "kept")}, tmp_path / "root")["colour"]
    assert found["state"] == "measured", found
    assert found["figures"]["steps"] > 0 and {"bundled", "trained here"} <= found["figures"].keys()
    assert found["figures"]["trained here"]["accuracy"] is not None
    assert len(list((tmp_path / "kept").iterdir())) == 1


@pytest.mark.slow
def test_the_command_line_takes_a_device_and_minutes_and_keeps_what_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ml", "benchmark", "gpu", "--device", "cpu", "--minutes", "9", "--out", tmp_path]
    command += ["--data-root", few_digits(tmp_path / "data"), '--set=parts=["images","training","drawing"]']
    command += ['--set=models=["student"]', "--set=full=student", "--set=large=1-minute", "--set=train_s=0.1"]
    command += ["--set=batches=[2]", "--set=draws=[2]", "--set=peer_steps=1", "--set=rounds=1"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=5 * WAIT_S, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [one["state"] for one in found["findings"]] == ["holds", "measured", "measured"] and found["failed"] == []
    for peer in installed(None):
        assert all(any(name.startswith(peer) for name in one["figures"]) for one in found["findings"][1:]), peer
    assert (found["plan"]["device"], found["plan"]["minutes"]) == ("cpu", 9)
    assert "| Drawing speed | measured |" in done.stdout
