"""What torchrun starts twice: the same losses, files and words as one process, and an end whatever goes wrong."""

import json
import os
import re
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from desktop_app.__main__ import main as open_window
from ml.cli.app import main
from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.distributed import collectives
from ml.distributed import torchrun as torchrun_of
from ml.errors import BadRequest, LostProcess
from ml.events import TrainStep
from ml.generation import distributed_sampling
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.threads import one_thread
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, Table
from ml.training.distributed_training import check
from ml.training.trainer import _stop_requested, train
from tests.patience import WAIT_S
from tests.support.tiny_model import few_digits, tiny_config
from tests.support.torchrun_pool import REPO, Command, Said, alone, carry_out, crew, torchrun
from tests.support.warm_fork import wait_for

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch knows no other processes"),
    pytest.mark.skipif(os.name == "nt", reason="signals as Unix has them"),
]
STEPS, LATER = 8, 3
LOSS, NORM = LOSS_COLUMNS.index("loss"), LOSS_COLUMNS.index("grad_norm")
SAME = 1e-5
OWN = re.compile(r"running_|num_batches_tracked")  # what batch normalisation knows of the leader's images
KINDS = {
    "adamw": {},
    "muon": {"optimizer": "muon", "lr": 4e-3},
    "judge": {"model": {"network": "judge", "widths": [8, 16], "embedding": 16}, "augment": True},
    "autoencoder": {"model": {"network": "autoencoder", "widths": [8, 16], "blocks": 1, "latent": 2}},
    "augmented": {"mirror": True, "augment_share": 0.5},
    "latent": {"codec_from": "autoencoder", "model": {"widths": [8, 16], "embedding": 16}},
}


def config_of(**changes: object) -> TrainConfig:
    """A run whose learning rate does not depend on how long it is going to be."""
    return tiny_config(**{"data": "mnist", "steps": STEPS, "lr_schedule": "constant", "warmup": 0} | changes)


def by_one(config: TrainConfig, folder: Path, data: Path, *, resume: bool = False) -> Path:
    with one_thread():  # as each process of several has
        for _ in train(config, folder, device="cpu", data_root=data, resume=resume):
            pass
    return folder


def stopped_by_one(config: TrainConfig, folder: Path, data: Path, step: int) -> None:
    control = RunControl()
    with one_thread(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml.training.trainer.REPORT_EVERY_S", 0.0)
        for event in train(config, folder, device="cpu", data_root=data, control=control):
            if isinstance(event, TrainStep) and event.step >= step:
                control.cancel()


def curve(folder: Path) -> np.ndarray:
    """Loss and gradient norm of each step: (2, steps)."""
    rows = Table(folder / LOSS_FILE, LOSS_COLUMNS).read()
    assert list(rows[0]) == list(range(1, rows.shape[1] + 1))
    return rows[[LOSS, NORM]]


def assert_same(ours: Path, theirs: Path) -> None:
    """The same losses, and much the same gradients."""
    (loss, norm), (other, their_norm) = curve(ours), curve(theirs)
    assert loss == pytest.approx(other, abs=SAME)
    assert norm == pytest.approx(their_norm, rel=1e-2)


def assert_goes_on(folder: Path, data: Path) -> None:
    """One process goes on from what several left, and all of it is as if it had been alone all the time."""
    steps = load_state_header(folder / STATE_FILE).step + LATER
    by_one(config_of(steps=steps), folder, data, resume=True)
    straight = by_one(config_of(steps=steps), folder.with_name(f"{folder.name}-straight"), data)
    assert_same(folder, straight)


def drawing(path: Path, name: str, *more: str) -> list[str]:
    model, out = path / "model", path / name
    return [
        *map(str, ("sample", "--model", model, "--labels", "0-9", "--steps", "2", "--device", "cpu", "--out", out)),
        *more,
    ]


def rating(path: Path) -> list[str]:
    what = ["evaluate", "--model", path / "model", "--data-root", path / "data", "--count", "110", "--steps", "2"]
    return [*map(str, what), "--json", "--device", "cpu"]


@dataclass(frozen=True)
class Place:
    """Where two processes carried out some commands, and how those ended."""

    path: Path
    said: dict[str, list[Said]]

    @property
    def data(self) -> Path:
        return self.path / "data"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("several") / "data", train=600, test=400)


@pytest.fixture(scope="module")
def place(data: Path) -> Place:
    """All commands that end by themselves, in one start of two processes."""
    path = data.parent

    def training(name: str, *more: object, **changes: object) -> list[str]:
        (path / f"{name}.json").write_text(config_of(**changes).model_dump_json())
        return [*map(str, ("train", "--config", path / f"{name}.json", *where(name), *more))]

    def where(name: str) -> list[object]:
        return ["--data-root", data, "--run-dir", path / name, "--device", "cpu"]

    stopped_by_one(config_of(), path / "resumed", data, STEPS - LATER)
    by_one(config_of(), path / "model", data)
    commands = {
        **{name: Command(training(name, **changes)) for name, changes in KINDS.items()},
        "resumed": Command(["train", "--resume", *map(str, where("resumed"))]),
        "timed": Command(training("timed", "--minutes", 0.2)),
        "split": Command(training("split"), [(1, 3, "no room"), (1, 4, "no room")]),
        "split behind": Command(training("split behind"), [(1, 3, "no room behind"), (0, 4, "no room behind")]),
        "nan": Command(training("nan"), [(1, 5, "nan")]),
        "helper fails": Command(training("helper"), [(1, 5, "error")]),
        "leader fails": Command(training("leader"), [(0, 5, "error")]),
        "helper fails behind": Command(training("helper behind"), [(1, 5, "error behind")]),
        "leader fails behind": Command(training("leader behind"), [(0, 5, "error behind")]),
        "stopped": Command(training("stopped"), [(1, 5, "stop")]),
        "again": Command(training("adamw")),
        "uneven": Command(training("uneven", batch_size=33)),
        "clip": Command(training("clip", model={"network": "clip"})),
        "mps": Command([*training("mps"), "--device", "mps"]),
        "usage": Command(training("usage", "--nonsense")),
        "models": Command(["models"]),
        "sample": Command(drawing(path, "two.npz", "--count", "25")),
        "few": Command(drawing(path, "few.npz")),
        "trajectory": Command(drawing(path, "way.npz", "--count", "11", "--trajectory")),
        "no model": Command(["sample", "--model", "nosuch", "--labels", "3", "--out", str(path / "none.npz")]),
        "evaluate": Command(rating(path)),
    }
    said = carry_out(list(commands.values()), path)
    return Place(path, dict(zip(commands, said, strict=True)))


@pytest.mark.parametrize("kind", ["adamw", "muon", "augmented", "autoencoder", "latent"])
def test_two_processes_train_as_one_does(place: Place, kind: str) -> None:
    two = place.path / kind
    one = by_one(config_of(**KINDS[kind]), place.path / f"one-{kind}", place.data)
    assert_same(two, one)


@pytest.mark.parametrize("kind", ["adamw", "muon", "judge"])
def test_two_processes_are_two_parts_of_one_to_the_bit(place: Place, kind: str) -> None:
    one = by_one(config_of(**KINDS[kind], accumulate=2), place.path / f"parts-{kind}", place.data)
    for name in (STATE_FILE, MODEL_FILE):
        ours, theirs = load_file(place.path / kind / name), load_file(one / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not (OWN.search(key) or torch.equal(ours[key], theirs[key]))] == []


def test_one_process_writes_and_speaks(place: Place) -> None:
    leader, helper = place.said["adamw"]
    assert leader == Said(0, f"{place.path / 'adamw' / MODEL_FILE}: {STEPS} steps in {leader.out.split()[-2]} s\n", "")
    assert helper == Said(0, "", "")
    names = [sorted(file.name for file in (place.path / run).iterdir()) for run in ("adamw", "model")]
    assert names[0] == names[1] and len(list((place.path / "adamw" / "tensorboard").iterdir())) == 1
    assert all(said[1] == Said(0, "", "") for said in place.said.values())


def test_a_run_goes_from_one_process_to_two_and_back(place: Place) -> None:
    assert [said.code for said in place.said["resumed"]] == [0, 0]
    assert curve(place.path / "resumed").shape[1] == STEPS
    assert_goes_on(place.path / "resumed", place.data)


def test_a_run_of_so_many_minutes_ends_in_all_processes_at_one_step(place: Place) -> None:
    assert [said.code for said in place.said["timed"]] == [0, 0]
    assert load_state_header(place.path / "timed" / STATE_FILE).elapsed_s >= 12
    assert_goes_on(place.path / "timed", place.data)


@pytest.mark.parametrize("command", ["split", "split behind"])
def test_a_batch_that_one_process_has_no_room_for_is_split_in_all(place: Place, command: str) -> None:
    leader, _ = place.said[command]
    assert leader.code == 0 and "step 3  the batch does not fit into memory: 8 parts" in leader.err
    assert_same(place.path / command, place.path / "adamw")


def test_a_loss_that_is_no_number_in_one_process_brings_all_back(place: Place) -> None:
    leader, _ = place.said["nan"]
    assert leader.code == 0 and "The loss became nan at step 5. Back to step 0" in leader.err
    assert load_state_header(place.path / "nan" / STATE_FILE).slowed == 1
    assert curve(place.path / "nan").shape[1] == STEPS and np.isfinite(curve(place.path / "nan")).all()


@pytest.mark.parametrize("when", ["", " behind"])
@pytest.mark.parametrize("who", ["helper", "leader"])
def test_what_fails_in_one_process_ends_the_run_with_a_whole_checkpoint(place: Place, who: str, when: str) -> None:
    leader, _ = place.said[f"{who} fails{when}"]
    assert leader.code == 1 and leader.out == "" and "ValueError: a wire is loose" in leader.err
    if who == "helper":
        assert leader.err.startswith("Process 1 failed") and "The checkpoint of step 4" in leader.err
    folder = place.path / f"{who}{when}"
    assert load_state_header(folder / STATE_FILE).step == 4
    assert_goes_on(folder, place.data)


def test_one_process_that_is_told_to_stop_stops_all_with_everything_saved(place: Place) -> None:
    leader, helper = place.said["stopped"]
    assert (leader.code, helper) == (130, Said(0, "", "")) and leader.err.startswith("Stopped and saved. Resume with: ")
    assert 5 <= load_state_header(place.path / "stopped" / STATE_FILE).step < STEPS
    assert_goes_on(place.path / "stopped", place.data)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("again", "already holds a run"),
        ("uneven", "A batch of 33 images cannot be shared evenly by 2 processes. Set batch_size"),
        ("clip", "A CLIP learns from whole batches, which processes cannot share. Leave torchrun out."),
        ("mps", "Several processes cannot share an Apple GPU. Use --device cpu"),
        ("usage", "No such option: --nonsense"),
        ("models", "models is nothing that several processes can share. Use torchrun for train, sample and evaluate"),
        ("no model", "There is no model 'nosuch'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(place: Place, command: str, words: str) -> None:
    leader, helper = place.said[command]
    assert leader.code == 2 and words in leader.err and leader.err.count("\n") == 1
    assert helper == Said(0, "", "")


def test_the_window_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert open_window([]) == 2
    assert "Start it without torchrun" in capsys.readouterr().err


def test_images_are_the_same_whoever_draws_them(place: Place) -> None:
    for name, more in (("two", ["--count", "25"]), ("few", []), ("way", ["--count", "11", "--trajectory"])):
        assert main(drawing(place.path, f"{name}-alone.npz", *more)) == 0
        with np.load(place.path / f"{name}.npz") as ours, np.load(place.path / f"{name}-alone.npz") as theirs:
            assert set(ours) == set(theirs)
            assert all(np.array_equal(ours[key], theirs[key]) for key in ours)


def test_a_report_is_the_same_whoever_draws_for_it(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(rating(place.path)) == 0
    ours, theirs = (json.loads(text) for text in (place.said["evaluate"][0].out, capsys.readouterr().out))
    assert ours.pop("seconds_per_image") > 0 < theirs.pop("seconds_per_image")
    assert ours.pop("source") == theirs.pop("source") and ours["images"] == 110
    for name in ("confusions", "data", "reasons"):
        assert ours.pop(name) == theirs.pop(name)
    assert ours == pytest.approx(theirs, rel=1e-6)  # of a few images fewer at a time, the last digits are others


# ---- processes that are killed or told to stop


def start(tmp_path: Path, data: Path, **changes: object) -> list[object]:
    (tmp_path / "config.json").write_text(config_of(steps=1_000_000, **changes).model_dump_json())
    where = ["--data-root", data, "--run-dir", tmp_path / "run", "--device", "cpu"]
    return ["train", "--config", tmp_path / "config.json", *where]


def process_of(rank: int, parent: int) -> int:
    """The process of that number that torchrun started."""
    import psutil

    return next(child.pid for child in psutil.Process(parent).children() if child.environ().get("RANK") == str(rank))


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_process_ends_the_run_with_a_message_and_a_whole_checkpoint(
    data: Path, tmp_path: Path, rank: int
) -> None:
    log = tmp_path / "log.txt"
    with crew(log, "ml", *start(tmp_path, data, save_every_s=0.1)) as process:
        wait_for((tmp_path / "run" / MODEL_FILE).exists, log)  # which comes with the first checkpoint after its steps
        os.kill(process_of(rank, process.pid), signal.SIGKILL)
        assert process.wait(WAIT_S) == 1
    said = log.read_text()
    assert "Another one of the 2 processes has gone." in said and "--resume" in said
    step = load_state_header(tmp_path / "run" / STATE_FILE).step
    seen = f"The checkpoint of step {step} in" in said
    told = "Stopped and saved" in said  # by torchrun, which saw it first
    assert step > 0 and (rank == 0 or seen or told)
    assert_goes_on(tmp_path / "run", data)


@pytest.mark.slow
def test_two_machines_train_as_one_does_and_one_is_told_to_stop(data: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path / "log.txt"
    nodes: list[subprocess.Popen[bytes]] = []
    with log.open("wb") as file:
        for number in range(2):
            where = ["--nnodes=2", f"--node-rank={number}", f"--rdzv-endpoint=127.0.0.1:{port}"]
            command = torchrun("ml", *start(tmp_path, data, save_every_s=0.1), count=1, more=where)
            nodes.append(subprocess.Popen(command, cwd=REPO, env=alone(), stdout=file, stderr=file))
    wait_for((tmp_path / "run" / MODEL_FILE).exists, log)
    nodes[1].send_signal(signal.SIGINT)
    assert [node.wait(WAIT_S) != 0 for node in nodes] == [True, True]
    assert "Stopped and saved" in log.read_text()
    assert_goes_on(tmp_path / "run", data)


def test_one_process_takes_no_notice_of_what_it_was_told_by_others() -> None:
    """Alone, all that several processes do together is nothing."""
    assert (collectives.size(), collectives.rank(), collectives.is_main()) == (1, 0, True)
    with pytest.raises(BadRequest):
        collectives.agree(collectives.Outcome.FAILED, BadRequest("No."))


def test_a_process_that_is_stopped_during_an_agreement_leaves_at_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    control = RunControl()

    def agree(_outcome: collectives.Outcome) -> collectives.Outcome:
        control.cancel()
        return collectives.Outcome.FINE

    monkeypatch.setattr(collectives, "agree", agree)
    assert not _stop_requested(control) and control.cancelled


def test_images_are_shared_out_in_whole_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed_sampling, "BATCH", 10)
    monkeypatch.setattr(collectives, "size", lambda: 3)
    request = SampleRequest(labels=(3,) * 45)
    shares = [distributed_sampling.share(request, rank) for rank in range(3)]
    assert shares == [[*range(10), *range(30, 40)], [*range(10, 20), *range(40, 45)], list(range(20, 30))]
    assert distributed_sampling.share(SampleRequest(labels=(3,) * 10), 1) == []


def test_what_torchrun_tells_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    for number, name in enumerate(names, start=2):
        monkeypatch.setenv(name, str(number))
    said = (torchrun_of.world_size(), torchrun_of.rank(), torchrun_of.local_rank(), torchrun_of.local_size())
    assert said == (2, 3, 4, 5) and not torchrun_of.launched()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert torchrun_of.launched()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not torchrun_of.launched()
    for wrong in ("", "-1", "many"):
        monkeypatch.setenv("RANK", wrong)
        assert torchrun_of.rank() == 0


def test_a_message_that_came_too_late_is_told_from_one_that_never_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for said, told in (
        ("Timed out waiting 300000ms for recv", "answers no more"),
        ("wait timeout after 300000ms", "answers no more"),
        ("Connection closed by peer", "has gone"),
    ):
        with pytest.raises(LostProcess, match=f"Another one of the 2 processes {told}"), collectives.connected():
            raise RuntimeError(said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 33}, "cannot be shared evenly by 2"),
        ({"teacher_from": "digits"}, "A few-step student learns from whole batches"),
        ({"model": {"network": "clip"}}, "A CLIP learns from whole batches"),
    ],
)
def test_what_processes_cannot_share_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: str
) -> None:
    check(config_of(**changes))  # alone, all of it is trained
    monkeypatch.setattr(collectives, "size", lambda: 2)
    with pytest.raises(BadRequest, match=words):
        check(config_of(**changes))
    check(config_of())
