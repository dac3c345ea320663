"""Few-step students, distilled from a teacher by distribution matching and by consistency.

The first step, from pure noise, is learnt by distribution matching (Yin et al. 2024): the distribution of the images
has to match the teacher's, not each single image. The later steps, from an image with noise added, are learnt by
consistency (Song et al. 2023): there the teacher's path is short, and leads to one image.
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

PURE = 1000.0  # sigma / alpha at the start of the first step
PATH, PATH_MAX, PATH_MIN = 16, 6.0, 0.05  # levels of the teacher's path along which the student is consistent
HUBER = 0.00054  # c of the pseudo-Huber loss, per square root of the number of pixels (Song & Dhariwal 2024)
# The noise levels at which the student's images are compared with the teacher's.
NOISE_LEVELS, NOISE_LEVELS_MAX, NOISE_LEVELS_MIN = 40, 20.0, 0.05
CRITIC_STEPS, CRITIC_LR = 2, 2.0  # per step of the student; learning rate, relative to the student's
CLEAREST = 10.0  # weight of the critic's least noisy images, relative to pure noise
LEAST = 0.02  # lower bound of the mean distance by which the difference of estimates is divided


class DistillationBatch(NamedTuple):
    """The student's inputs: noise, and x_t with the next level on the teacher's path; B each."""

    noise: Tensor
    x_t: Tensor
    labels: Tensor
    now: Tensor  # (B, 3): t, alpha, sigma
    then: Tensor


class DistillationObjective:
    """The objective of few-step students, the sum of `matching` and `consistency`.

    The teacher is guided, so that the student needs no second branch. A critic, trained together with the student,
    denoises the student's one-step images. Where its estimate differs from the teacher's, the student's images are too
    frequent or too rare, and are moved along the difference (Yin et al. 2024, eq. 7).
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
        """The losses of the first step and of the later steps, added: (B,)."""
        student = NetworkDenoiser(network, self.config.model.prediction)
        return self.matching(student, batch, rng) + self.consistency(student, batch)

    def matching(self, student: NetworkDenoiser, batch: DistillationBatch, rng: torch.Generator) -> Tensor:
        """Distribution matching: half the squared distance from a one-step image to its moved copy (B,)."""
        pure = _levels(self.noise_levels[:1].expand(len(batch.labels), 3))
        x0 = student(pure.sigma * batch.noise, pure, batch.labels).float()
        for _ in range(CRITIC_STEPS):
            with torch.no_grad():
                other = student(pure.sigma * _noise(x0, rng), pure, batch.labels).float()
            self._train_critic(other, batch.labels, rng)
        now = self._random_levels(x0, rng)
        with torch.no_grad():
            x_t = q_sample(x0, _noise(x0, rng), now.alpha, now.sigma)
            real = self.teacher(x_t, now, batch.labels).float()
            made = self._critic(x_t, now, batch.labels).float()
            scale = (x0 - real).abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=LEAST)
            target = x0 - (made - real) / scale
        return 0.5 * (x0 - target).square().flatten(1).mean(dim=1)

    def consistency(self, student: NetworkDenoiser, batch: DistillationBatch) -> Tensor:
        """Pseudo-Huber distance of the student's estimates before and after a step of the teacher (eq. 7): (B,)."""
        now, then = _levels(batch.now), _levels(batch.then)
        with torch.no_grad():
            x0 = self.teacher(batch.x_t, now, batch.labels).float()
            x_s = then.alpha * x0 + then.sigma * (batch.x_t - now.alpha * x0) / now.sigma  # DDIM
            estimate = student(x_s, then, batch.labels).float()
            target = torch.where(then.sigma > 0, estimate, x0)
        off = (student(batch.x_t, now, batch.labels).float() - target).flatten(1)
        c = HUBER * off.shape[1] ** 0.5
        return (off.square().sum(dim=1) + c**2).sqrt() - c

    @property
    def _critic(self) -> NetworkDenoiser:
        return NetworkDenoiser(self.critic.network, self.teacher.prediction)

    def _train_critic(self, x0: Tensor, labels: Tensor, rng: torch.Generator) -> None:
        """One step of the critic, which learns to denoise the student's images (B, C, H, W)."""
        now = self._random_levels(x0, rng)
        off = self._critic(q_sample(x0, _noise(x0, rng), now.alpha, now.sigma), now, labels).float() - x0
        weight = (1 + (now.alpha / now.sigma).square()).clamp(max=CLEAREST)
        (weight * off.square()).mean().backward()
        self.critic.step(CRITIC_LR * self.config.lr)

    def _random_levels(self, x0: Tensor, rng: torch.Generator) -> Levels:
        """A random noise level for each image."""
        return _levels(self.noise_levels[torch.randint(1, NOISE_LEVELS, (len(x0),), generator=rng, device=x0.device)])


class GuidedTeacher:
    """A teacher with classifier-free guidance at a level for each image; see `guidance.classifier_free`.

    It is guided at all levels, with the weight w, or with that of its default settings where w is 0.
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
