"""Distillation: a student that draws as its teacher does loses nothing, and a real one learns from a real teacher."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data import datasets
from ml.diffusion.denoiser import TIME_SCALE, NetworkDenoiser
from ml.diffusion.samplers import ddim_step
from ml.diffusion.schedules import Level, Levels
from ml.errors import BadFile, BadRequest
from ml.events import RunFinished, Sampled, TrainStep
from ml.generation import loaded_model, pipeline
from ml.registry import presets
from ml.registry.checkpoint import load_model, load_state
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.system.device import choose_device
from ml.training.objectives import distillation
from ml.training.objectives.distillation import DistillationBatch, DistillationObjective, GuidedTeacher
from ml.training.run import Run
from ml.training.trainer import train
from tests.support.tiny_model import TINY, tiny_config


class Knows(nn.Module):
    """Sees the same image in everything; as a flow: u = (x_t - x0) / t."""

    def __init__(self, image: float, off: float = 0.0) -> None:
        super().__init__()
        self.image, self.off = image, off

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        t = (time / TIME_SCALE).view(-1, 1, 1, 1)
        return (x - self.image - self.off * t) / t


@pytest.fixture
def objective(tiny_run: Path) -> DistillationObjective:
    config = tiny_config(teacher_from=str(tiny_run), label_dropout=0, lr=1e-3)
    return DistillationObjective(config, datasets.load("synthetic"), torch.device("cpu"))


def asked(objective: DistillationObjective, count: int = 200) -> tuple[DistillationBatch, torch.Generator]:
    rng = torch.Generator().manual_seed(0)
    return objective.draw(nn.Identity(), torch.arange(count), rng), rng


def no_noise() -> Tensor:
    raise AssertionError("a deterministic step asked for noise")


def student_of(network: nn.Module) -> NetworkDenoiser:
    return NetworkDenoiser(network, "flow")


def test_a_consistent_student_of_a_consistent_teacher_loses_nothing(objective: DistillationObjective) -> None:
    objective.teacher.network = Knows(0.25)
    batch, _ = asked(objective)
    loss, other = (objective.consistency(student_of(Knows(0.25, off=off)), batch).mean() for off in (0.0, 0.5))
    assert float(loss) == pytest.approx(0.0, abs=1e-4)
    assert float(other) > 0.1  # what it sees depends on the noise


def test_a_student_is_trained_along_its_teachers_path(objective: DistillationObjective) -> None:
    batch, _ = asked(objective, 500)
    path = [tuple(row) for row in objective.path.tolist()]
    places = [path.index(tuple(row)) for row in batch.now.tolist()]
    assert set(places) == set(range(distillation.PATH))
    assert [path.index(tuple(row)) for row in batch.then.tolist()] == [place + 1 for place in places]
    x0 = objective.images[torch.arange(500)][0]
    alpha, sigma = (batch.now[:, k].view(-1, 1, 1, 1) for k in (1, 2))
    eps = (batch.x_t - alpha * x0) / sigma
    assert float(eps.std()) == pytest.approx(1, abs=0.01)
    assert abs(float((eps * batch.noise).mean())) < 0.01  # two noises


def test_the_teacher_goes_a_step_of_ddim(objective: DistillationObjective) -> None:
    class Seen(nn.Module):
        def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            seen.append((x, time))
            return torch.zeros_like(x)

    seen: list[tuple[Tensor, Tensor]] = []
    objective.teacher.network = Knows(0.25)
    batch, _ = asked(objective, 20)
    objective.consistency(student_of(Seen()), batch)
    x_s, time = seen[0]
    expected = [
        ddim_step(x_t, torch.full_like(x_t, 0.25), Level(*now), Level(*then), no_noise, eta=0.0)
        for x_t, now, then in zip(batch.x_t, batch.now.tolist(), batch.then.tolist(), strict=True)
    ]
    torch.testing.assert_close(x_s, torch.stack(expected), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(time, batch.then[:, 0] * TIME_SCALE)
    assert torch.equal(seen[1][0], batch.x_t)


def test_estimates_are_never_compared_at_pure_noise(objective: DistillationObjective) -> None:
    levels = objective._random_levels(torch.zeros(2000, 1, 1, 1), torch.Generator().manual_seed(0))
    ratios = levels.sigma / levels.alpha
    assert float(ratios.max()) == pytest.approx(distillation.NOISE_LEVELS_MAX, rel=1e-3)
    assert float(ratios.min()) == pytest.approx(distillation.NOISE_LEVELS_MIN, rel=1e-3)


def test_the_critic_is_taught_by_how_clear_an_image_is_and_at_its_own_rate(objective: DistillationObjective) -> None:
    class Guess(nn.Module):
        """Sees one grey in everything."""

        def __init__(self) -> None:
            super().__init__()
            self.grey = nn.Parameter(torch.tensor(0.5))

        def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            return (x - self.grey) / (time / TIME_SCALE).view(-1, 1, 1, 1)

    network, rates = Guess(), []
    objective.critic = SimpleNamespace(network=network, step=rates.append)  # type: ignore[assignment]
    image = torch.full((500, 1, 4, 4), 0.1)
    objective._train_critic(image, torch.zeros(500).long(), torch.Generator().manual_seed(3))
    levels = objective._random_levels(image, torch.Generator().manual_seed(3))
    weight = (1 + (levels.alpha / levels.sigma) ** 2).clamp(max=10)
    assert network.grey.grad is not None
    assert float(network.grey.grad) == pytest.approx(2 * 0.4 * float(weight.mean()), rel=1e-3)
    assert rates == [2 * objective.config.lr]


def test_a_student_of_a_teacher_without_classes_gets_no_labels(tiny_unconditional: Path) -> None:
    config = tiny_config(teacher_from=str(tiny_unconditional), label_dropout=0)
    found = DistillationObjective(config, datasets.load("synthetic"), torch.device("cpu"))
    assert not asked(found, 20)[0].labels.any() and found.teacher.w == 1


def test_images_move_from_the_critics_estimate_to_the_teachers(
    objective: DistillationObjective, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "CRITIC_STEPS", 0)
    objective.teacher.network, objective.critic.network = Knows(0.5), Knows(0.1)
    batch, rng = asked(objective, 4)
    image = torch.full((4, 1, 28, 28), 0.1, requires_grad=True)

    def student(x_t: Tensor, levels: Levels, labels: Tensor) -> Tensor:
        return image

    losses = objective.matching(student, batch, rng)  # type: ignore[arg-type]
    losses.sum().backward()
    assert image.grad is not None and losses.tolist() == pytest.approx([0.5] * 4, rel=1e-3)  # (0.4 / 0.4)^2 / 2
    assert (image.grad * 28 * 28).mean().item() == pytest.approx(-1.0, rel=1e-3)  # brighter, as the teacher's are
    image.data[2:] = 0.4  # nearer to what the teacher sees: as far to go, measured by that
    losses = objective.matching(student, batch, rng)  # type: ignore[arg-type]
    assert losses.tolist() == pytest.approx([0.5, 0.5, 8.0, 8.0], rel=1e-3)
    objective.critic.network = Knows(0.5)
    losses = objective.matching(student, batch, rng)  # type: ignore[arg-type]
    assert losses.tolist() == pytest.approx([0.0] * 4, abs=1e-6)


def test_the_critic_learns_the_students_images(objective: DistillationObjective) -> None:
    batch, rng = asked(objective, 32)
    student = student_of(Knows(0.5))
    level = Levels(torch.full((32,), 0.5), *(torch.full((32, 1, 1, 1), 0.5) for _ in "as"))
    x_t = 0.5 * 0.5 + 0.5 * batch.noise

    def error() -> float:
        with torch.no_grad():
            return float((student_of(objective.critic.network)(x_t, level, batch.labels) - 0.5).square().mean())

    before = error()
    for _ in range(30):
        objective.matching(student, batch, rng)
    assert error() < 0.5 * before


def test_only_the_student_gets_gradients(objective: DistillationObjective, tiny_run: Path) -> None:
    student = loaded_model.load(str(tiny_run)).network
    student.requires_grad_(True)
    batch, rng = asked(objective, 8)
    objective.losses(student, batch, rng).mean().backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum()) for p in student.parameters())
    for network in (objective.critic.network, objective.teacher.network):
        assert all(p.grad is None or not p.grad.abs().sum() for p in network.parameters())
    student.requires_grad_(False)
    student.zero_grad()


def test_a_teacher_is_guided_at_the_level_of_each_image(tiny_run: Path) -> None:
    class Labels(nn.Module):
        def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            return x - torch.where(labels == 10, 0.0, 1.0).view(-1, 1, 1, 1)  # at t = 1: x0_hat is 1, or 0 for null

    teacher = GuidedTeacher(loaded_model.load(str(tiny_run)), w=3.0)
    teacher.network = Labels()
    t = torch.tensor([0.5, 0.9])
    levels = Levels(t, (1 - t).view(-1, 1, 1, 1), t.view(-1, 1, 1, 1))
    seen = teacher(torch.zeros(2, 1, 2, 2), levels, torch.tensor([1, 1]))
    assert seen[:, 0, 0, 0].tolist() == pytest.approx([3 * 0.5, 3 * 0.9])


def test_a_teacher_is_guided_by_its_defaults_or_the_given_weight(tiny_run: Path) -> None:
    teacher = loaded_model.load(str(tiny_run))
    assert (GuidedTeacher(teacher).w, GuidedTeacher(teacher, 2.5).w) == (teacher.header.defaults.guidance, 2.5)


def student_config(tiny_run: Path, **changes: object) -> TrainConfig:
    defaults = {"sampler": "student", "steps": 2, "guidance": 1, "sigma_lead": 1000}
    return tiny_config(**{"teacher_from": str(tiny_run), "label_dropout": 0, "defaults": defaults} | changes)


def test_a_student_begins_as_its_teacher_and_learns(
    tmp_path: Path, tiny_run: Path, objective: DistillationObjective
) -> None:
    config = student_config(tiny_run, steps=60, lr=1e-3)
    *_, finished = train(config, tmp_path / "student", device="cpu")
    assert isinstance(finished, RunFinished)
    batch, _ = asked(objective)
    before, after = (
        float(objective.consistency(student_of(loaded_model.load(str(path)).network), batch).mean())
        for path in (tiny_run, tmp_path / "student")
    )
    assert after < before
    first = list(train(config.with_changes(lr=1e-12, steps=1), tmp_path / "same", device="cpu"))
    ours, theirs = load_model(tmp_path / "same" / MODEL_FILE)[1], load_model(tiny_run / MODEL_FILE)[1]
    assert first and all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in theirs)
    request = SampleRequest(model=str(tmp_path / "student"), labels=(1, 2), sampler="student", steps=1)
    *_, done = pipeline.sample(request, device="cpu")
    assert isinstance(done, Sampled) and done.network_calls == 1


def test_a_resumed_student_is_the_same_to_the_bit_with_its_critic(tmp_path: Path, tiny_run: Path) -> None:
    config = student_config(tiny_run, steps=6, batch_size=8)
    list(train(config, tmp_path / "straight", device="cpu"))
    control = RunControl()
    for event in train(config.with_changes(steps=6), tmp_path / "cut", device="cpu", control=control):
        if isinstance(event, TrainStep) and event.step >= 3:
            control.cancel()
    list(train(config, tmp_path / "cut", device="cpu", resume=True))
    (first, ours), (second, theirs) = (load_state(tmp_path / name / STATE_FILE) for name in ("straight", "cut"))
    assert (first.step, second.step) == (6, 6) and any(name.startswith("critic.adam.") for name in ours)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_student_that_went_back_learns_more_slowly_and_so_does_its_critic(tmp_path: Path, tiny_run: Path) -> None:
    run = Run(student_config(tiny_run, batch_size=8), tmp_path, choose_device("cpu"), datasets.load("synthetic"))
    run.begin()
    run.train_step()
    before = {name: tensor.clone() for name, tensor in run.learners["critic."].network.state_dict().items()}
    run.step_back()
    critic = run.learners["critic."]
    assert run.lr_reductions == 1 and run.lr == run.config.lr / 4 and critic.share == 0.25
    assert any(not torch.equal(before[name], tensor) for name, tensor in critic.network.state_dict().items())
    run.save()
    run.restore()
    assert critic.share == 0.25


@pytest.mark.parametrize("model", [TINY.with_changes(widths=(8, 24)), TINY.with_changes(embedding=32)])
def test_a_student_of_another_shape_is_refused(tmp_path: Path, tiny_run: Path, model: object) -> None:
    config = tiny_config(teacher_from=str(tiny_run), model=model.model_dump())  # type: ignore[attr-defined]
    with pytest.raises((BadFile, BadRequest)):
        list(train(config, tmp_path / "run", device="cpu"))


def test_the_preset_has_its_teachers_shape() -> None:
    student, teacher = presets.load("student"), presets.load(presets.load("student").teacher_from)
    assert student.model == teacher.model
