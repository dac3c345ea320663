"""Image k of a batch is image k alone, to the bit: each operation, each network, and on every processor."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ml.cancellation import Cancelled, cancellable, check_cancelled
from ml.config import ModelConfig, SampleRequest
from ml.control import RunControl
from ml.export.verify import ROUNDED
from ml.generation.denoising import steps
from ml.generation.loaded_model import load
from ml.generation.plan import make_plan
from ml.models import build
from ml.models.blocks import class_table
from ml.models.exact import TWINS, exact, in_blocks
from ml.system import cores
from ml.system.cores import on_cores
from tests.exactness import drawn, fresh
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
IMAGES = 40
SOME = (slice(0, 1), slice(3, 4), slice(2, 7), slice(7, 24), slice(39, 40))
PROCESSORS = (("avx512", "AVX512_CORE"), ("avx2", "AVX2"), ("default", "SSE41"))  # ATen's name, and oneDNN's
THREADS = (1, 2, 4)


@pytest.fixture(params=(1, 2, 3))
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """That many threads, of which three part a batch unevenly."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def images(*shape: int) -> Tensor:
    noise = torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(len(shape)))
    return 3 * noise.contiguous(memory_format=torch.channels_last) if len(shape) == 3 else 3 * noise


OPERATIONS: dict[str, tuple[nn.Module, Tensor]] = {
    "convolution": (nn.Conv2d(8, 24, 3, padding=1), images(8, 7, 7)),
    "convolution of one channel": (nn.Conv2d(1, 16, 3, padding=1), images(1, 14, 14)),
    "depth-wise convolution": (nn.Conv2d(24, 24, 3, 2, padding=1, groups=24), images(24, 14, 14)),
    "1 x 1 convolution": (nn.Conv2d(24, 72, 1), images(24, 7, 7)),
    "transposed convolution": (nn.ConvTranspose2d(16, 8, 2, stride=2), images(16, 7, 7)),
    "linear": (nn.Linear(24, 50), images(24)),
    "linear on words": (nn.Linear(24, 50), images(20, 24)),
    "SiLU, odd": (nn.SiLU(), images(3, 5, 5)),
    "SiLU, more than a thread's share": (nn.SiLU(), images(12, 15, 15)),
    "SiLU of vectors": (nn.SiLU(), images(13)),
    "normalisation": (nn.GroupNorm(8, 16), images(16, 14, 14)),
    "normalisation of large images": (nn.GroupNorm(8, 16), images(16, 33, 32)),
    "classes, mixed": (class_table(11, 24), images(11)),
}


@pytest.mark.parametrize("name", OPERATIONS)
@torch.no_grad()
def test_an_operation_computes_each_image_as_if_it_were_alone(name: str, threads: int) -> None:
    plain, x = OPERATIONS[name]
    twin = exact(nn.Sequential(plain).to(memory_format=torch.channels_last), CPU)
    assert type(next(twin.children())) is TWINS[type(plain)]
    torch.set_num_threads(1)
    whole = twin(x)
    torch.set_num_threads(threads)
    for some in SOME:
        assert torch.equal(twin(x[some].clone()), whole[some])
    assert torch.equal(twin(x), whole)
    torch.testing.assert_close(whole, plain(x))


KINDS: dict[str, dict[str, object]] = {
    "the tiny one": {"widths": (8, 16), "patch": 2, "embedding": 16},
    "odd widths, attention": {"widths": (8, 24), "patch": 1, "embedding": 24, "attention": (14,), "channels": 3},
    "large images": {"widths": (8, 16), "patch": 1, "image_size": 36, "embedding": 16},
    "textbook": {"network": "textbook", "widths": (8, 16), "embedding": 16},
    "textbook with batch norm": {"network": "textbook", "widths": (8, 16), "norm": "batch", "embedding": 16},
    "shuffle": {"network": "shuffle", "widths": (16, 32), "embedding": 16},
}


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_network_computes_each_image_as_if_it_were_alone(kind: str, threads: int) -> None:
    config = ModelConfig.model_validate(KINDS[kind])
    network = build(config).to(memory_format=torch.channels_last).eval()
    torch.manual_seed(0)
    for parameter in network.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    twin = exact(network, CPU)
    x, time = images(config.channels, config.image_size, config.image_size), torch.tensor([321.0])
    labels = torch.arange(IMAGES) % (config.num_classes + 1)
    torch.set_num_threads(1)
    whole = twin(x, time, labels)
    torch.set_num_threads(threads)
    for some in SOME:
        assert torch.equal(twin(x[some].clone(), time, labels[some]), whole[some])
    torch.testing.assert_close(whole, network(x, time, labels), rtol=1e-4, atol=1e-4)


def test_a_twin_shares_its_weights_and_leaves_the_network_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.SiLU())
    twin = exact(network, CPU)
    assert next(twin.parameters()) is next(network.parameters())
    assert [type(part) for part in network] == [nn.Conv2d, nn.SiLU]
    assert exact(network, torch.device("meta")) is network  # elsewhere than on a CPU


def test_blocks_always_have_their_size() -> None:
    seen: list[int] = []

    def double(x: Tensor) -> Tensor:
        seen.append(len(x))
        return 2 * x

    x = torch.arange(11.0).view(11, 1)
    assert torch.equal(in_blocks(double, x, 4), 2 * x)
    assert torch.equal(in_blocks(double, x[:4], 4), 2 * x[:4])
    assert seen == [4, 4, 4, 4]


@torch.no_grad()
def test_an_image_that_clip_steers_is_the_same_with_others(threads: int) -> None:
    model = load("unconditional", "cpu")
    asked = {"model": "unconditional", "labels": (-1,) * 11, "seed": 4, "steps": 5, "route": "clip", "prompt": "seven"}
    request = SampleRequest.model_validate(asked)
    together = drawn(model, request)
    for k in (0, 10):
        assert torch.equal(drawn(model, request.alone(k))[0], together[k])
    assert not torch.equal(together[0], drawn(model, request.alone(0).with_changes(prompt="one"))[0])


@pytest.mark.parametrize(("name", "route"), [("text", "text"), ("colour-latent", "class")], ids=["words", "latent"])
@torch.no_grad()
def test_a_model_of_several_networks_draws_each_image_as_if_it_were_alone(name: str, route: str) -> None:
    model = load(name, "cpu")
    asked = {"model": name, "labels": tuple(range(9)), "seed": 4, "steps": 2, "route": route}
    request = SampleRequest.model_validate(asked)
    together = drawn(model, request)
    for k in (0, 8):
        assert torch.equal(drawn(model, request.alone(k))[0], together[k])
    *_, last = steps(make_plan(model, request))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    assert torch.equal(model.pixels(last.x_t[8:].contiguous(memory_format=torch.channels_last))[0], together[8])
    assert torch.equal(drawn(model, request.alone(8))[0], together[8])
    torch.set_num_threads(before)


@torch.no_grad()
def test_contrast_is_rescaled_for_each_image_by_itself(threads: int) -> None:
    digits = load("digits", "cpu")
    config = ModelConfig(widths=(8, 16), patch=4, embedding=16, image_size=128, channels=3)
    model = fresh(digits, config)
    request = SampleRequest(labels=(1, 2, 3), steps=1, guidance=2.0, guidance_rescale=0.5, seed=1)
    together = drawn(model, request)
    assert torch.equal(drawn(model, request.alone(1))[0], together[1])
    *_, last = steps(make_plan(model, request))
    assert last.x_t.shape == (3, 3, 128, 128)


def test_cores_share_the_parts_and_give_their_results_in_order() -> None:
    numbers = range(2 * cores.CORES + 1)
    assert on_cores([lambda k=k: k * k for k in numbers]) == [k * k for k in numbers]
    assert set(on_cores([torch.get_num_threads] * (2 * cores.CORES))) == {1}
    with pytest.raises(ZeroDivisionError):
        on_cores([lambda: 1 // 0] * cores.CORES)


def test_each_part_is_computed_once_and_by_one_thread_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cores([float] * 2 * cores.CORES)  # begins the threads
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for count in (2, 3):
            monkeypatch.setattr(cores, "CORES", count)
            numbers, threads = list(range(2 * count + 1)), on_cores([torch.get_num_threads] * (2 * count + 1))
            assert on_cores([lambda k=k: k for k in numbers]) == numbers and set(threads) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_work_on_all_cores_is_stopped_on_each() -> None:
    control = RunControl()
    control.cancel()
    for at in range(cores.CORES):
        parts = [check_cancelled if number == at else float for number in range(cores.CORES)]
        with cancellable(control), pytest.raises(Cancelled):
            on_cores(parts)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_network_and_sampler_on_every_processor_with_any_threads(tmp_path: Path) -> None:
    """Prints the table: what a processor does not have is left out by PyTorch, which then takes the best there is."""
    seen: dict[tuple[str, int], dict[str, dict[str, object]]] = {}
    for aten, onednn in PROCESSORS:
        for count in THREADS:
            limits = {"ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn, "OMP_NUM_THREADS": str(count)}
            file = tmp_path / f"{aten}-{count}.npz"
            command = [sys.executable, "-W", "ignore", "-m", "tests.exactness", str(file)]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=20 * WAIT_S, cwd=REPO, env=os.environ | limits
            )
            assert done.returncode == 0, done.stderr
            seen[aten, count] = json.loads(done.stdout)
    apart = dict.fromkeys(seen["default", 1], 0)
    for case in apart:
        found = [np.load(tmp_path / f"{aten}-1.npz")[case].astype(int) for aten, _ in PROCESSORS]
        apart[case] = max(int(np.abs(one - other).max()) for one in found for other in found)
    print(f"\n{'':28}" + "".join(f"{aten:>10}" for aten, _ in PROCESSORS) + "   apart, of 255")
    for case, most in apart.items():
        verdicts = [all(seen[aten, count][case]["same"] for count in THREADS) for aten, _ in PROCESSORS]
        hashes = [len({str(seen[aten, count][case]["hash"]) for count in THREADS}) for aten, _ in PROCESSORS]
        words = ["exact" if same and few == 1 else "NOT" for same, few in zip(verdicts, hashes, strict=True)]
        print(f"{case:28}" + "".join(f"{word:>10}" for word in words) + f"{most:12}")
        assert words == ["exact"] * len(PROCESSORS), case
        assert most <= ROUNDED, case
