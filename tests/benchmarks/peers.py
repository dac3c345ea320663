"""The peers, each with the recipe that its own project publishes: what is learnt in a step, and how it draws.

Their packages are imported only when a peer is made. Images go in and come out as uint8, as ours do.
"""

from importlib import import_module
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.events import Pixels
from ml.imaging.pixels import to_uint8

CLASSES, SIDE, T = 10, 28, 1000
CLASS_CHANNELS = 4


class Peer(Protocol):
    """A diffusion model of another project."""

    recipe: str

    @property
    def parameters(self) -> int: ...

    def learn(self, images: Tensor, labels: Tensor) -> None:
        """One step on images (B, 1, 28, 28) in [-1, 1] and labels (B,)."""
        ...

    def draw(self, labels: Tensor, steps: int) -> Pixels:
        """Images (N, 28, 28) by DDIM in so many steps."""
        ...


class ClassUnet(nn.Module):
    """diffusers' UNet2DModel that sees the class as four more channels: unit 2 of Hugging Face's diffusion course."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, CLASS_CHANNELS)
        self.unet: Any = import_module("diffusers").UNet2DModel(
            sample_size=SIDE,
            in_channels=1 + CLASS_CHANNELS,
            out_channels=1,
            layers_per_block=2,
            block_out_channels=(32, 64, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        )

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """x (B, 1, 28, 28), t and labels (B,) -> eps."""
        shown = self.embedding(labels)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.unet(torch.cat([x, shown], dim=1), t).sample


class Diffusers:
    """diffusers: Adam 1e-3 on eps with the squared cosine schedule, 1,000 levels; no guidance."""

    recipe = "UNet2DModel (32, 64, 64), eps, squared cosine, Adam 1e-3 (Hugging Face's course)"

    def __init__(self, device: torch.device) -> None:
        diffusers: Any = import_module("diffusers")
        self.device = device
        self.network = ClassUnet().to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.noising = diffusers.DDPMScheduler(num_train_timesteps=T, beta_schedule="squaredcos_cap_v2")
        self.sampler = diffusers.DDIMScheduler.from_config(self.noising.config)

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    def learn(self, images: Tensor, labels: Tensor) -> None:
        noise = torch.randn_like(images)
        t = torch.randint(0, T, (len(images),), device=self.device)
        loss = F.mse_loss(self.network(self.noising.add_noise(images, noise, t), t, labels), noise)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @torch.no_grad()
    def draw(self, labels: Tensor, steps: int) -> Pixels:
        self.network.eval()
        self.sampler.set_timesteps(steps)
        x = torch.randn(len(labels), 1, SIDE, SIDE, device=self.device)
        for t in self.sampler.timesteps:
            x = self.sampler.step(self.network(x, t, labels), t, x).prev_sample
        self.network.train()
        return to_uint8(x)


class Lucidrains:
    """denoising-diffusion-pytorch: its classifier-free Unet and the settings of its own Trainer, guidance 6."""

    recipe = "classifier-free Unet 32 (1, 2, 4), eps, cosine, Adam 1e-4, EMA (its Trainer's settings)"

    def __init__(self, device: torch.device) -> None:
        free: Any = import_module("denoising_diffusion_pytorch.classifier_free_guidance")
        ema: Any = import_module("ema_pytorch")
        self.device = device
        network = free.Unet(dim=32, dim_mults=(1, 2, 4), num_classes=CLASSES, channels=1)
        steps = T - 1  # fewer than T: DDIM; how many is set when it draws
        self.diffusion = free.GaussianDiffusion(network, image_size=SIDE, timesteps=T, sampling_timesteps=steps)
        self.diffusion.to(device)
        self.optimizer = torch.optim.Adam(self.diffusion.parameters(), lr=1e-4, betas=(0.9, 0.99))
        self.ema = ema.EMA(self.diffusion, beta=0.995, update_every=10).to(device)

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.diffusion.parameters())

    def learn(self, images: Tensor, labels: Tensor) -> None:
        loss = self.diffusion((images + 1) / 2, classes=labels)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.diffusion.parameters(), 1.0)
        self.optimizer.step()
        self.ema.update()

    def draw(self, labels: Tensor, steps: int) -> Pixels:
        model = self.ema.ema_model
        model.sampling_timesteps = steps
        model.eval()
        return to_uint8(model.sample(labels) * 2 - 1)


PEERS: dict[str, type[Diffusers] | type[Lucidrains]] = {"diffusers": Diffusers, "lucidrains": Lucidrains}


def make(name: str, device: torch.device) -> Peer:
    """A peer with fresh weights, always the same."""
    torch.manual_seed(0)
    return PEERS[name](device)
