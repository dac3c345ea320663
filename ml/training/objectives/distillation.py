"""Students that go in a few steps where their teacher takes many, by distribution matching and by consistency.

The first step, from pure noise, is learnt by distribution matching (Yin et al. 2024): any image will do, if only all of
them look as the teacher's do. The later ones, from an image with noise on it again, are learnt by consistency (Song et
al. 2023): there the teacher's path is short, and leads to one image.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images
from ml.diffusion.denoiser import NetworkDenoiser
from ml.diffusion.schedules import Levels, q_sample, schedule_of
from ml.generation import loaded_model
from ml.models import build
from ml.specs import DeviceName, Prediction
from ml.training.optimizers import Learner

PURE = 1000.0  # sigma / alpha of what the first step begins in
PATH, PATH_MAX, PATH_MIN = 16, 6.0, 0.05  # levels of the teacher's path along which the student is consistent
HUBER = 0.00054  # c of the pseudo-Huber loss, per square root of the number of pixels (Song & Dhariwal 2024)
# The noise levels at which the student's images are compared with the teacher's.
NOISE_LEVELS, NOISE_LEVELS_MAX, NOISE_LEVELS_MIN = 40, 20.0, 0.05
CRITIC_STEPS, CRITIC_LR = 2, 2.0  # of the critic for each of the student's; its learning rate, in the student's
CLEAREST = 10.0  # weight of the critic's clearest images, over that of pure noise
LEAST = 0.02  # by which the difference of two estimates is divided at least: their mean distance to the image


class DistillationBatch(NamedTuple):
    """What the student is to draw: from noise, and from x_t, with the next level on the teacher's path; B each."""

    noise: Tensor
    x_t: Tensor
    labels: Tensor
    now: Tensor  # (B, 3): t, alpha, sigma
    then: Tensor


class DistillationObjective:
    """Students, each of whose steps is learnt as fits it (see above).

    The teacher is guided, so that the student needs no second branch. A critic learns beside the student what that
    draws in one step; where its estimate of a noisy image differs from the teacher's, the student's images are too
    common or too rare, and are moved along the difference (Yin et al. 2024, eq. 7).
    """

    divisible = False  # the critic learns from a whole batch

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)
        teacher = loaded_model.load(config.teacher_from, cast(DeviceName, device.type))
        self.teacher = GuidedTeacher(teacher, config.teacher_guidance)
        self.classes = teacher.config.num_classes
        self.path, self.noise_levels = (
            torch.tensor([(level.t, level.alpha, level.sigma) for level in grid], device=device)
            for grid in (
                schedule_of(config.model).grid(PATH, "karras", PATH_MAX, PATH_MIN),
                schedule_of(config.model).grid(NOISE_LEVELS, "karras", NOISE_LEVELS_MAX, NOISE_LEVELS_MIN, PURE),
            )
        )
        critic = build(teacher.config).to(device)
        critic.load_state_dict(teacher.network.state_dict())
        self.critic = Learner(critic.to(memory_format=torch.channels_last), config)
        self.learners: Mapping[str, Learner] = {"critic.": self.critic}

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> DistillationBatch:
        x0, labels = self.images[chosen]
        if not self.classes:
            labels = torch.zeros_like(labels)
        at = torch.randint(PATH, (len(x0),), generator=rng, device=x0.device)
        now, levels = self.path[at], _levels(self.path[at])
        x_t = q_sample(x0, _noise(x0, rng), levels.alpha, levels.sigma)
        return DistillationBatch(_noise(x0, rng), x_t, labels, now, self.path[at + 1])

    def losses(self, network: nn.Module, batch: DistillationBatch, rng: torch.Generator) -> Tensor:
        """Of the first step and of the later ones together: (B,)."""
        student = NetworkDenoiser(network, self.config.model.prediction)
        return self.matching(student, batch, rng) + self.consistency(student, batch)

    def matching(self, student: NetworkDenoiser, batch: DistillationBatch, rng: torch.Generator) -> Tensor:
        """Half the squared distance to where teacher and critic would have an image drawn in one step go: (B,)."""
        pure = _levels(self.noise_levels[:1].expand(len(batch.labels), 3))
        x0 = student(pure.sigma * batch.noise, pure, batch.labels).float()
        for _ in range(CRITIC_STEPS):
            with torch.no_grad():
                other = student(pure.sigma * _noise(x0, rng), pure, batch.labels).float()
            self._teach(other, batch.labels, rng)
        now = self._random_levels(x0, rng)
        with torch.no_grad():
            x_t = q_sample(x0, _noise(x0, rng), now.alpha, now.sigma)
            real = self.teacher(x_t, now, batch.labels).float()
            made = self._critic(x_t, now, batch.labels).float()
            scale = (x0 - real).abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=LEAST)
            wanted = x0 - (made - real) / scale
        return 0.5 * (x0 - wanted).square().flatten(1).mean(dim=1)

    def consistency(self, student: NetworkDenoiser, batch: DistillationBatch) -> Tensor:
        """Pseudo-Huber distance of what the student sees before and after a step of the teacher (eq. 7): (B,)."""
        now, then = _levels(batch.now), _levels(batch.then)
        with torch.no_grad():
            x0 = self.teacher(batch.x_t, now, batch.labels).float()
            x_s = then.alpha * x0 + then.sigma * (batch.x_t - now.alpha * x0) / now.sigma  # DDIM
            seen = student(x_s, then, batch.labels).float()
            wanted = torch.where(then.sigma > 0, seen, x0)
        off = (student(batch.x_t, now, batch.labels).float() - wanted).flatten(1)
        c = HUBER * off.shape[1] ** 0.5
        return (off.square().sum(dim=1) + c**2).sqrt() - c

    @property
    def _critic(self) -> NetworkDenoiser:
        return NetworkDenoiser(self.critic.network, self.teacher.prediction)

    def _teach(self, x0: Tensor, labels: Tensor, rng: torch.Generator) -> None:
        """One step of the critic, which learns to see the student's images (B, C, H, W) behind noise."""
        now = self._random_levels(x0, rng)
        off = self._critic(q_sample(x0, _noise(x0, rng), now.alpha, now.sigma), now, labels).float() - x0
        weight = (1 + (now.alpha / now.sigma).square()).clamp(max=CLEAREST)
        (weight * off.square()).mean().backward()
        self.critic.step(CRITIC_LR * self.config.lr)

    def _random_levels(self, x0: Tensor, rng: torch.Generator) -> Levels:
        """A noise level for each image, at random."""
        return _levels(self.noise_levels[torch.randint(1, NOISE_LEVELS, (len(x0),), generator=rng, device=x0.device)])


class GuidedTeacher:
    """A teacher with classifier-free guidance at a level for each image; see `guidance.classifier_free`.

    It is guided at all levels, by the weight of its own defaults or by w, where that is not 0.
    """

    def __init__(self, teacher: loaded_model.LoadedModel, w: float = 0.0) -> None:
        self.prediction: Prediction = teacher.config.prediction
        self.network = teacher.network
        self.null = teacher.config.num_classes
        self.w = (w or teacher.header.defaults.guidance) if self.null else 1.0

    def __call__(self, x_t: Tensor, levels: Levels, labels: Tensor) -> Tensor:
        """x0_hat (B, C, H, W)."""
        denoise = NetworkDenoiser(self.network, self.prediction)
        cond = denoise(x_t, levels, labels)
        if self.w == 1:
            return cond
        uncond = denoise(x_t, levels, torch.full_like(labels, self.null))
        return uncond + self.w * (cond - uncond)


def _noise(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, device=like.device)


def _levels(rows: Tensor) -> Levels:
    t, alpha, sigma = rows.unbind(dim=1)
    return Levels(t, alpha.view(-1, 1, 1, 1), sigma.view(-1, 1, 1, 1))
