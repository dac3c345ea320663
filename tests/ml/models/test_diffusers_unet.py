"""The network from diffusers computes what `UNet2DModel` computes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.config import ModelConfig, UNet2DSettings
from ml.models import build
from ml.models.exact import exact
from ml.registry import diffusers_folder
from tests.support.tiny_pipeline import make_scheduler, make_unet, save_pipeline

SETTINGS: dict[str, dict[str, object]] = {
    "plain": {},
    "scale and shift": {"resnet_time_scale_shift": "scale_shift"},
    "scale and shift, attention normalised": {"resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 4},
    "one head": {"attention_head_dim": None, "layers_per_block": 2, "norm_eps": 1e-3},
    "two heads": {"attention_head_dim": 4, "in_channels": 3, "out_channels": 3, "center_input_sample": True},
    "other times": {"freq_shift": 1, "flip_sin_to_cos": False, "time_embedding_dim": 24, "act_fn": "swish"},
    "padded": {"downsample_padding": 0, "mid_block_scale_factor": 1.4},
    "classes": {"num_class_embeds": 5},
    "no middle": {"mid_block_type": None},
    "no attention in the middle": {"add_attention": False},
    "attention first": {
        "down_block_types": ("AttnDownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "AttnUpBlock2D"),
    },
    "Fourier": {"time_embedding_type": "fourier"},
}  # fmt: skip


def both(folder: Path, **changes: object) -> tuple[Any, nn.Module]:
    """Their network and ours, of one folder."""
    unet = make_unet(**changes)
    saved = save_pipeline(folder / "tiny", unet, make_scheduler("FlowMatchEulerDiscreteScheduler"))
    found = diffusers_folder.read(saved)
    ours = build(found.model).eval()
    ours.load_state_dict(found.weights)
    return unet, ours


def noise(count: int, channels: int = 1) -> Tensor:
    return torch.randn(count, channels, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_network_computes_what_diffusers_computes(name: str, tmp_path: Path) -> None:
    theirs, ours = both(tmp_path, **SETTINGS[name])
    x, time, labels = (
        noise(3, 3 if name == "two heads" else 1),
        torch.tensor([3.0, 500.0, 990.5]),
        torch.tensor([0, 2, 4]),
    )
    with torch.no_grad():
        expected = theirs(x, time, labels if name == "classes" else None).sample
        torch.testing.assert_close(ours(x, time, labels), expected, rtol=1e-4, atol=1e-5)


def test_the_null_label_adds_nothing_and_a_mixture_the_mean(tmp_path: Path) -> None:
    theirs, ours = both(tmp_path, num_class_embeds=5)
    x, time = noise(2), torch.tensor([500.0])
    with torch.no_grad():
        mixtures = torch.tensor([[0, 0.5, 0.5, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
        mixed = ours(x, time, mixtures)
        torch.testing.assert_close(ours(x, time, torch.tensor([5, 5]))[1], mixed[1])
        table = theirs.class_embedding.weight
        table[0], table[4] = (table[1] + table[2]) / 2, 0
        expected = theirs(x, time, torch.tensor([0, 4])).sample
    torch.testing.assert_close(mixed, expected, rtol=1e-4, atol=1e-5)


def test_an_image_is_to_the_bit_the_same_in_every_batch(tmp_path: Path) -> None:
    network = exact(both(tmp_path, num_class_embeds=5)[1], torch.device("cpu"))
    x, time, labels = noise(7), torch.tensor([500.0]), torch.arange(7) % 6
    with torch.no_grad():
        together = network(x, time, labels)
        for k in range(7):
            assert torch.equal(network(x[k : k + 1], time, labels[k : k + 1])[0], together[k])


def test_time_is_counted_in_the_models_own_steps() -> None:
    config = ModelConfig(network="diffusers", widths=(8,), num_classes=0, unet2d=UNet2DSettings(
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), norm_num_groups=4))  # fmt: skip
    short = build(config.with_changes(timesteps=100))
    long = build(config)
    long.load_state_dict(short.state_dict())
    x, labels = torch.zeros(1, 1, 28, 28), torch.tensor([0])
    with torch.no_grad():
        torch.testing.assert_close(short(x, torch.tensor([300.0]), labels), long(x, torch.tensor([30.0]), labels))


def test_every_weight_learns_and_a_wrong_config_is_refused() -> None:
    config = ModelConfig(network="diffusers", widths=(8, 16), image_size=8, num_classes=3, unet2d=UNet2DSettings(
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4))  # fmt: skip
    network = build(config).train()
    network(noise(4), torch.tensor([500.0]), torch.arange(4)).square().mean().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    for wrong in ({"network": "unet"}, {"unet2d": None}, {"widths": (8,)}, {"image_size": 9}):
        with pytest.raises(ValueError, match=r"from diffusers|widths need|can't be halved"):
            config.with_changes(**wrong)
