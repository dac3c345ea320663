"""Optimized networks: equal to the reference to a tolerance for any batch, and the reference without a variant."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.cancellation import Cancelled
from ml.config import NO_LABEL, SampleRequest
from ml.evaluation.judge import Judge
from ml.events import Sampled
from ml.generation import pipeline
from ml.generation.loaded_model import LoadedModel, load
from ml.models import optimized, optimized_variants
from ml.text import tokenizer
from tests.patience import WAIT_S

MODELS = ("student", "text", "shuffle-flow")
MORE_MODELS = ("digits", "unconditional", "latent", "colour")
REPO = Path(__file__).resolve().parents[3]
AGREE = 0.01  # of an output's length, at most between it and the reference's


def inputs(model: LoadedModel, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    channels, side = model.config.codes
    noise = torch.Generator().manual_seed(count)
    x = torch.randn(count, channels, side, side, generator=noise).contiguous(memory_format=torch.channels_last)
    classes = max(model.config.num_classes, 1)
    labels = torch.arange(count) % classes
    return x, torch.tensor([500.0]), tokenizer.tokens(["a bold seven"] * count) if model.config.reader else labels


def drawn(request: SampleRequest, *, fast: bool) -> Sampled:
    *_, last = pipeline.sample(request, device="cpu", frames=False, optimized=fast)
    assert isinstance(last, Sampled)
    return last


@pytest.mark.parametrize("name", [*MODELS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_MODELS)])
@torch.no_grad()
def test_an_optimized_network_agrees_with_the_reference_for_any_batch(name: str) -> None:
    model = load(name, "cpu")
    network = optimized.OptimizedNetwork(model.network)
    for count in (1, 2, 3, 20):
        given = inputs(model, count)
        wanted = model.network(*given)
        found = network(*given)
        assert found.dtype == torch.float32 and found.shape == wanted.shape
        assert optimized.distance(found, wanted) <= AGREE


@torch.no_grad()
def test_the_bundled_model_has_a_variant_for_each_kind_of_label() -> None:
    model = load("digits", "cpu")
    network = optimized.OptimizedNetwork(model.network)
    x, time, labels = inputs(model, 2)
    mixture = torch.nn.functional.one_hot(labels, model.config.num_classes + 1).float()
    assert optimized.distance(network(x, time, labels), model.network(x, time, labels)) <= AGREE
    assert optimized.distance(network(x, time, mixture), model.network(x, time, mixture)) <= AGREE
    assert len(network._variants) == 2
    assert all(variant is not model.network for variant in network._variants.values())


@torch.no_grad()
def test_without_a_variant_the_network_itself_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("student", "cpu")
    given = inputs(model, 2)

    def missing(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(optimized, "variants", lambda *_, **__: iter([missing, missing]))
    assert optimized.fastest_variant(model.network, *given) is model.network


@torch.no_grad()
def test_a_variant_that_is_wrong_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("student", "cpu")
    given = inputs(model, 2)
    wrong = copy.deepcopy(model.network)
    for parameter in wrong.parameters():
        parameter.mul_(1.2)
    monkeypatch.setattr(optimized, "variants", lambda *_, **__: iter([lambda *_: wrong]))
    assert optimized.fastest_variant(model.network, *given) is model.network


@torch.no_grad()
def test_a_variant_that_is_no_faster_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("student", "cpu")
    given = inputs(model, 2)
    twin = copy.deepcopy(model.network)
    monkeypatch.setattr(optimized, "variants", lambda *_, **__: iter([lambda *_: twin]))
    monkeypatch.setattr(optimized, "_seconds", lambda network, _: 1.0)
    assert optimized.fastest_variant(model.network, *given) is model.network
    monkeypatch.setattr(optimized, "_seconds", lambda network, _: 0.9 if network is twin else 1.0)
    assert optimized.fastest_variant(model.network, *given) is twin


@torch.no_grad()
def test_making_a_variant_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("student", "cpu")

    def stopped(*_: object) -> None:
        raise Cancelled

    monkeypatch.setattr(optimized, "variants", lambda *_, **__: iter([stopped]))
    with pytest.raises(Cancelled):
        optimized.fastest_variant(model.network, *inputs(model, 2))


@torch.no_grad()
def test_half_precision_agrees(tiny_run: object) -> None:
    model = load(str(tiny_run), "cpu")
    given = inputs(model, 4)
    half = optimized_variants.Half(model.network)(*given)
    assert half.dtype == torch.float32
    assert 0 < optimized.distance(half, model.network(*given)) <= 0.03


def test_sketches_are_alike_and_their_digits_the_same() -> None:
    defaults = load("digits", "cpu").header.defaults.model_dump()
    labels = tuple(range(10)) * 2
    request = SampleRequest.model_validate({**defaults, "model": "digits", "labels": labels, "seed": 3})
    exact, sketch = drawn(request, fast=False), drawn(request, fast=True)
    assert sketch.request == exact.request
    apart = np.abs(exact.images.astype(float) - sketch.images).mean()
    assert apart < 4
    assert np.array_equal(Judge.bundled().judge(sketch.images).labels, Judge.bundled().judge(exact.images).labels)


def test_optimized_drawing_leaves_the_exact_images_as_they_were(tiny_run: object) -> None:
    request = SampleRequest(model=str(tiny_run), steps=2, labels=(1, NO_LABEL, 7))
    threads = torch.get_num_threads()
    before = drawn(request, fast=False).images
    drawn(request, fast=True)
    assert np.array_equal(drawn(request, fast=False).images, before) and torch.get_num_threads() == threads


BESIDE_A_RUN = """
import sys, threading, time, psutil, torch
from ml.generation import pipeline
from ml.system import cores
from ml.config import SampleRequest

def draw():
    for labels in ((3,), (3, 5), tuple(range(10)) * 3):
        list(pipeline.sample(SampleRequest(model=sys.argv[1], labels=labels, steps=2), frames=False, optimized=True))

torch.randn(1000, 1000).exp().sum()  # as a run does: with OpenMP
before = psutil.Process().num_threads()
thread = threading.Thread(target=draw)
thread.start()
thread.join()
while (still := {task.id for task in psutil.Process().threads()}) and thread.native_id in still:
    time.sleep(0.01)  # it is not gone as soon as it has ended
print(psutil.Process().num_threads() - before, cores.CORES, torch.get_num_threads())
"""


def test_optimized_drawing_beside_a_run_leaves_openmp_to_the_run(tiny_run: Path) -> None:
    """Its threads would stay, and then all that the run computes would take twice as long."""
    command = [sys.executable, "-W", "ignore", "-c", BESIDE_A_RUN, str(tiny_run)]
    two = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, cwd=REPO, env=two)
    assert done.returncode == 0, done.stderr
    more, cores, still = map(int, done.stdout.split())
    assert cores == 2 and more == cores - 1 and still == cores  # the thread that asked is one of those that draw
