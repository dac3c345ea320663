"""Every benchmark runs in its tiniest form and gives its figures. How fast anything is, is not asserted here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ml.cli import app
from ml.cli import benchmark as cli_benchmark
from ml.cli.console import BAD_INPUT, Line
from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.generation.loaded_model import load
from tests.benchmarks import __main__ as entry
from tests.benchmarks import common, gpu, sampling, training
from tests.benchmarks.limits import work_of
from tests.patience import WAIT_MS, WAIT_S
from tests.support.tiny_model import few_digits

TINY_SAMPLING = {
    "judged": 20,
    "device": "cpu", "per_class": 1, "rounds": 1, "least_s": 0, "peer_steps": 1, "grow_images": [1, 2],
    "grow_steps": [1, 2], "grow_side": [28, 32], "grow_width": [8, 16], "grown_of": 1, "limit_images": [2],
}  # fmt: skip
TINY_TRAINING = {
    "device": "cpu", "own_minutes": 1e-4, "minutes": 1e-4, "batch_size": 2, "digits": 10, "steps": 1,
    "look_every_s": 1e-3,
}  # fmt: skip
TINY_INTERACTION = (
    "moves=2", "warm_up=1", "beat_s=0.2", "starts=1", "device=cpu", 'models=["student"]', f"patience_ms={WAIT_MS}",
)  # fmt: skip


def check_tables(benchmark: Any, found: dict[str, Any]) -> None:
    """The findings can be told as JSON and as tables whose rows fit their heads."""
    assert json.loads(json.dumps(found)) is not None
    for table in benchmark.tables(found):
        assert table.rows and all(len(row) == len(table.heads) for row in table.rows), table.title
        assert table.markdown().count("\n|") >= len(table.rows) + 1


@pytest.mark.filterwarnings("ignore")  # of diffusers
def test_sampling_against_diffusers(tmp_path: Path) -> None:
    plan = sampling.SamplingPlan.model_validate(TINY_SAMPLING | {"against": ["diffusers"]})
    found: dict[str, Any] = {"plan": plan.model_dump()}
    for part in sampling.measure(plan, None, Line()):
        found |= part
    assert found["machine"].keys() >= {"date", "device", "threads", "torch"}
    rows = {row["name"]: row for row in found["digits"]}
    ways = {"digits", "student, 1 step", "student, 2 steps", "student, 4 steps"}
    assert rows.keys() == ways | {f"{way}, quick form" for way in ways} | {"diffusers"}
    assert rows["diffusers"]["accuracy"] is None and "untrained" in rows["diffusers"]["how"]
    assert rows["digits"]["accuracy"] == 1.0
    assert rows["digits"]["times_sooner"]["diffusers"] == rows["diffusers"]["seconds"] / rows["digits"]["seconds"]
    assert {axis: [row["at"] for row in along] for axis, along in found["growth"].items()} == {
        "images": [1, 2], "steps": [1, 2], "side": [28, 32], "width": [8, 16],
    }  # fmt: skip
    wider = [row["gflop_per_image"] for row in found["growth"]["width"]]
    assert wider[1] > wider[0]
    assert all(0 < row["convolutions"] <= 1 and row["share"] > 0 for row in found["limit"])
    check_tables(sampling, found)
    entry.write_plots(tmp_path / "sampling", sampling.figures(found))
    assert "Pixels across" in (tmp_path / "sampling.svg").read_text()


def test_the_work_of_a_request_is_that_of_its_calls() -> None:
    model = load("student", "cpu")
    own = {"model": "student", "labels": (1, 2, 3)}
    once, twice = (
        work_of(model, SampleRequest.model_validate(model.header.defaults.model_dump() | own | {"steps": steps}))
        for steps in (1, 2)
    )
    assert twice.flops == 2 * once.flops
    assert twice.convolutions.total() == 2 * once.convolutions.total() > 0
    assert {shape.images[0] for shape in once.convolutions} == {3}


@pytest.mark.filterwarnings("ignore")
def test_training_against_diffusers(tmp_path: Path) -> None:
    plan = training.TrainingPlan.model_validate(TINY_TRAINING | {"against": ["diffusers"]})
    (measured,) = training.measure(plan, few_digits(tmp_path), Line())
    found: dict[str, Any] = {"plan": plan.model_dump()} | measured
    assert [row["name"] for row in found["recipes"]] == ["ours", "textbook", "diffusers"]
    for row in found["recipes"]:
        assert row["parameters"] > 100_000 and row["images_per_s"] > 0
        assert row["looks"] and row["looks"][-1]["seconds"] == row["seconds"]
        assert row["seconds_to"] == {"90%": None, "98%": None}  # after a step or two
    check_tables(training, found)
    assert len(training.figures(found)[0].curves) == 3


def test_what_never_came_is_at_least_so_much_later() -> None:
    class Still:
        recipe, parameters, share = "none", 1, 1.0

        def advance(self) -> int:
            return 0

        def draw(self, labels: tuple[int, ...], steps: int) -> Any: ...

    def entry_of(seconds: float, *looks: tuple[float, float]) -> training.Entry:
        seen = [{"seconds": at, "images": 1, "accuracy": accuracy} for at, accuracy in looks]
        return training.Entry("one", Still(), seconds, 10, looks=seen)

    ours = entry_of(60, (10, 0.5), (20, 0.95), (60, 0.99))
    slower, never = entry_of(480, (100, 0.91), (480, 0.97)), entry_of(480, (480, 0.2))
    assert slower.found(ours)["times_ours"] == {
        "90%": {"times": 5.0, "at_least": False},
        "98%": {"times": 8.0, "at_least": True},
    }
    assert never.found(ours)["times_ours"]["90%"] == {"times": 24.0, "at_least": True}
    assert never.found(never)["times_ours"]["90%"] is None


@pytest.mark.slow
def test_interaction_through_the_command_line(tmp_path: Path) -> None:
    sets = [f"--set={text}" for text in TINY_INTERACTION]
    command = [sys.executable, "-m", "ml", "benchmark", "interaction", "--json", "--out", tmp_path, *sets]
    command += ["--data-root", few_digits(tmp_path / "data")]
    words, root = [*map(str, command)], cli_benchmark.ROOT
    done = subprocess.run(words, capture_output=True, text=True, timeout=5 * WAIT_S, cwd=root)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "interaction.json").read_text())
    assert 0 < found["startup"]["bare_s"] < found["startup"]["first_grid_s"]
    assert found["startup"]["window_s"] < found["startup"]["first_grid_s"]
    assert len(found["moves"]) == 8 and {row["beside"] for row in found["moves"]} == {"alone", "while training"}
    for row in found["moves"]:
        assert row["moves"] == 2 and row["lost"] == 0, row
        assert row["p95_ms"] >= row["computing_ms"] > 0
    assert found["heartbeat"].keys() >= {"training", "model loading", "export"}
    assert all(beat["worst_ms"] >= beat["p99_ms"] for beat in found["heartbeat"].values())


def test_a_checkout_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(cli_benchmark, "ROOT", tmp_path)
    assert app.main(["benchmark", "sampling"]) == BAD_INPUT
    assert "checkout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--against", "somebody"], "There is no peer 'somebody'"),
        (["--set", "nonsense=1"], "There is no setting 'nonsense'"),
        (["--set", "rounds=0"], "rounds: Input should be greater"),
    ],
)
def test_what_cannot_be_measured_is_refused(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["sampling", *options]) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_peer_that_is_absent_is_refused_only_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(common.PACKAGES, "lucidrains", "no-such-package-here")
    assert "lucidrains" not in common.installed(None)
    with pytest.raises(BadRequest, match="not installed"):
        common.installed("lucidrains")


def test_quick_plans_are_plans() -> None:
    for module in (gpu, sampling, training):
        assert module.PLAN.model_validate(module.QUICK) != module.PLAN()
