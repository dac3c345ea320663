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


def inputs(count: int) -> optimized_variants.Inputs:
    return torch.randn(count, 1, 28, 28), torch.tensor([500.0]), torch.arange(count) % 10


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of images that calls are captured for, as if by CUDA: no more than five fit into memory."""
    found: list[int] = []

    def capture(network: torch.nn.Module, given: optimized_variants.Inputs) -> optimized_variants.Replay:
        count = len(given[0])
        found.append(count)
        if count > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        held = tuple(tensor.clone() for tensor in given)

        def replay(*others: torch.Tensor) -> torch.Tensor:
            for place, other in zip(held, others, strict=True):
                place.copy_(other)  # another shape is an error
            return network(*held)

        return replay

    monkeypatch.setattr(optimized_variants, "capture", capture)
    return found


@torch.no_grad()
def test_a_graph_is_captured_once_for_each_shape_and_computes_what_is_given(captured: list[int]) -> None:
    network = load("student", "cpu").network
    graphed = optimized_variants.Graphed(network, inputs(2))
    for count in (2, 3, 2, 3, 6, 6, 2):
        given = inputs(count)
        assert torch.equal(graphed(*given), network(*given))
    assert captured == [2, 3, 6]  # six do not fit, which is tried once


@torch.no_grad()
def test_the_oldest_graph_makes_room_for_another(captured: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimized_variants, "MOST_GRAPHS", 2)
    graphed = optimized_variants.Graphed(load("student", "cpu").network, inputs(1))
    for count in (2, 3, 2, 3, 1):
        graphed(*inputs(count))
    assert captured == [1, 2, 3, 1]


def test_a_gpu_draws_by_graphs_in_the_fastest_numbers_it_has(
    captured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, network, given = torch.device("cuda"), load("student", "cpu").network, inputs(2)
    found: list[list[str]] = []
    for fast in (True, False):
        monkeypatch.setattr(optimized_variants, "bf16_is_fast", lambda _device, fast=fast: fast)
        made = [make(network, given) for make in optimized_variants.variants(gpu, single=False)]
        found.append([f"{type(one).__name__} {type(getattr(one, 'network', None)).__name__}" for one in made])
    assert found == [["Graphed Half", "Half UNet", "Graphed UNet"], ["Graphed UNet"]]


@torch.no_grad()
def test_half_precision_keeps_its_weights_in_it() -> None:
    network = load("student", "cpu").network
    half = optimized_variants.Half(network)
    assert {module.weight.dtype for module in half.modules() if isinstance(module, torch.nn.Conv2d)} == {torch.bfloat16}
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
