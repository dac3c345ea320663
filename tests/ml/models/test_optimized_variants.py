"""Each variant of a network by itself: equal to the reference, whichever the device would choose."""

import pytest
import torch

from ml.generation.loaded_model import load
from ml.models import optimized_variants
from ml.models.optimized import distance
from ml.text import tokenizer

MODELS = ("digits", "unconditional", "latent", "text", "colour", "shuffle-flow")
APART = {torch.float32: 1e-5, torch.bfloat16: 0.01}  # at most, as a share of an output's length


@pytest.mark.parametrize("dtype", APART)
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_variant_for_one_image_is_as_the_reference_at_any_time_and_label(name: str, dtype: torch.dtype) -> None:
    model = load(name, "cpu")
    channels, side = model.config.codes

    def given(seed: int) -> optimized_variants.Inputs:
        x = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(seed))
        words = "a bold seven", "an upright 3", ""
        condition = (
            tokenizer.tokens([words[seed % 3]])
            if model.config.reader
            else torch.tensor([seed % (model.config.num_classes + 1)])
        )
        return x, torch.tensor([seed * 97.0]), condition

    variant = optimized_variants.compiled(dtype, model.network, given(0))
    for seed in range(6):
        assert distance(variant(*given(seed)), model.network(*given(seed))) <= APART[dtype]


@torch.no_grad()
def test_a_variant_for_many_images_works_with_another_number_of_them() -> None:
    model = load("student", "cpu")
    time = torch.tensor([900.0])
    two = torch.randn(2, 1, 28, 28), time, torch.tensor([3, 4])
    variant = optimized_variants.packed(torch.float32, model.network, two)
    many = torch.randn(5, 1, 28, 28), time, torch.arange(5)
    assert distance(variant(*many), model.network(*many)) <= APART[torch.float32]


@torch.no_grad()
def test_making_a_variant_leaves_the_network_and_torch_as_they_were() -> None:
    model = load("digits", "cpu")
    inputs = torch.randn(1, 1, 28, 28), torch.tensor([500.0]), torch.tensor([4])
    before, names = model.network(*inputs), [name for name, _ in model.network.named_modules()]
    optimized_variants.compiled(torch.bfloat16, model.network, inputs)
    assert torch.equal(model.network(*inputs), before)
    assert [name for name, _ in model.network.named_modules()] == names
    assert not torch.jit.onednn_fusion_enabled()
