"""Consistency distillation: a consistent student loses nothing, and a real one learns from a real teacher."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ml import data, pipeline, presets
from ml.checkpoint import MODEL_FILE, load_model
from ml.config import SampleRequest
from ml.denoiser import TIME_SCALE
from ml.distillation import Distilling, guided
from ml.errors import BadFile, BadRequest
from ml.events import RunFinished, Sampled, TrainStep
from ml.schedules import Levels
from ml.trainer import train
from tests.tiny import TINY, tiny_config


class Knows(nn.Module):
    """Sees the same image in everything; as a flow: u = (x_t - x0) / t."""

    def __init__(self, image: float, off: float = 0.0) -> None:
        super().__init__()
        self.image, self.off = image, off

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        t = (time / TIME_SCALE).view(-1, 1, 1, 1)
        return (x - self.image - self.off * t) / t


@pytest.fixture
def objective(tiny_run: Path) -> Distilling:
    config = tiny_config(teacher_from=str(tiny_run), label_dropout=0)
    return Distilling(config, data.load("synthetic"), torch.device("cpu"))


def loss(objective: Distilling, student: nn.Module) -> float:
    rng = torch.Generator().manual_seed(0)
    batch = objective.draw(student, torch.arange(200), rng)
    return float(objective.losses(student, batch, rng).mean())


def test_a_consistent_student_of_a_consistent_teacher_loses_nothing(objective: Distilling) -> None:
    objective.teacher.network = Knows(0.25)
    assert loss(objective, Knows(0.25)) == pytest.approx(0.0, abs=1e-4)
    assert loss(objective, Knows(0.25, off=0.5)) > 0.1  # what it sees depends on the noise


def test_only_the_student_gets_gradients_and_only_from_where_it_stands(objective: Distilling, tiny_run: Path) -> None:
    student = pipeline.load(str(tiny_run)).network
    student.requires_grad_(True)
    rng = torch.Generator().manual_seed(0)
    objective.losses(student, objective.draw(student, torch.arange(8), rng), rng).mean().backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum()) for p in student.parameters())
    student.requires_grad_(False)
    student.zero_grad()


def test_guidance_holds_within_its_levels_for_each_image(objective: Distilling) -> None:
    class Labels(nn.Module):
        def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            return x - torch.where(labels == 10, 0.0, 1.0).view(-1, 1, 1, 1)  # at t = 1: x0_hat is 1, or 0 for null

    objective.teacher.network = Labels()
    t = torch.tensor([0.5, 0.9])
    levels = Levels(t, (1 - t).view(-1, 1, 1, 1), t.view(-1, 1, 1, 1))
    settings = objective.settings.with_changes(guidance=3.0, guidance_from=0.0, guidance_to=2.0)
    x = torch.zeros(2, 1, 2, 2)
    seen = guided(objective.teacher, x, levels, torch.tensor([1, 1]), 10, settings)
    assert seen[:, 0, 0, 0].tolist() == pytest.approx([3 * 0.5, 0.9])


def test_a_student_begins_as_its_teacher_and_learns(tmp_path: Path, tiny_run: Path) -> None:
    config = tiny_config(teacher_from=str(tiny_run), steps=60, lr=1e-3, label_dropout=0,
                         defaults={"sampler": "student", "steps": 2, "guidance": 1, "sigma_lead": 1000})  # fmt: skip
    events = list(train(config, tmp_path / "student", device="cpu"))
    losses = [event.loss for event in events if isinstance(event, TrainStep)]
    assert isinstance(events[-1], RunFinished) and losses[-1] < losses[0]
    first = list(train(config.with_changes(lr=1e-12, steps=1), tmp_path / "same", device="cpu"))
    ours, theirs = load_model(tmp_path / "same" / MODEL_FILE)[1], load_model(tiny_run / MODEL_FILE)[1]
    assert first and all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in theirs)
    request = SampleRequest(model=str(tmp_path / "student"), labels=(1, 2), sampler="student", steps=1)
    *_, done = pipeline.sample(request, device="cpu")
    assert isinstance(done, Sampled) and done.network_calls == 1


@pytest.mark.parametrize("model", [TINY.with_changes(widths=(8, 24)), TINY.with_changes(embedding=32)])
def test_a_student_of_another_shape_is_refused(tmp_path: Path, tiny_run: Path, model: object) -> None:
    config = tiny_config(teacher_from=str(tiny_run), model=model.model_dump())  # type: ignore[attr-defined]
    with pytest.raises((BadFile, BadRequest)):
        list(train(config, tmp_path / "run", device="cpu"))


def test_the_preset_has_its_teachers_shape() -> None:
    student, teacher = presets.load("student"), presets.load(presets.load("student").teacher_from)
    assert student.model == teacher.model
