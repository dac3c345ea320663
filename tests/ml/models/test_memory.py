"""What memory cannot hold is refused with the figure, before anything of it is made."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from psutil import Process, virtual_memory

from ml.config import ModelConfig, SampleRequest
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Progress, Sampled
from ml.generation import pipeline
from ml.models import memory
from ml.models.memory import check_training
from ml.models.weights import expected
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config

CPU = torch.device("cpu")
HUGE = ModelConfig(image_size=128, widths=(1024,) * 4, blocks=8)


def test_what_fits_is_not_refused() -> None:
    check_training(tiny_config(), CPU)


def test_a_training_that_is_too_large_is_refused_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there a batch is halved until it fits")
    root, before = few_digits(tmp_path / "data"), Process().memory_info().rss
    config = tiny_config(model=HUGE.model_dump(), batch_size=8192, data="mnist")
    millions = sum(tensor.numel() for tensor in expected(HUGE, "m").values()) / 1e6
    said = rf"Training {millions:,.1f} million weights.*would take [\d,.]+ GB.*GB are free.*batch_size"
    with pytest.raises(BadRequest, match=said):
        for event in train(config, tmp_path / "run", device="cpu", data_root=root):
            assert isinstance(event, Progress)
    assert Process().memory_info().rss - before < virtual_memory().total / 10
    assert not (tmp_path / "run").exists()


def test_the_figure_is_made_of_weights_and_of_images_that_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(batch_size=4096)
    weights = sum(tensor.numel() for tensor in expected(config.model, "m").values())
    images = memory._per_image(config.model, memory.KEPT)
    asked: list[int] = []
    monkeypatch.setattr(memory, "_check", lambda size, *_: asked.append(size))
    for accumulate in (1, 3, 4):
        check_training(config.with_changes(accumulate=accumulate), CPU)
    check_training(config, torch.device("cuda"))  # where a batch is halved until it fits
    assert asked == [4 * (5 * weights + part * images) for part in (4096, 1366, 1024, 1)]
    assert images == 2 * 9 * (8 * 14**2 + 16 * 7**2)  # on the way down and up, at each resolution


def test_layers_are_as_large_as_their_resolutions_each_half_the_last_and_rounded_up() -> None:
    odd = ModelConfig(widths=(8, 16, 24, 32), blocks=2)
    assert memory._per_image(odd, 5) == 2 * 2 * 5 * (8 * 28**2 + 16 * 14**2 + 24 * 7**2 + 32 * 4**2)
    codec = ModelConfig(network="autoencoder", widths=(8, 16, 16), latent=2)
    latent = ModelConfig(widths=(8, 16), codec=codec)  # works on codes of 7 x 7
    assert memory._per_image(latent, 5) == 2 * 5 * (8 * 7**2 + 16 * 4**2)


def test_a_drawing_is_counted_as_what_is_kept_and_what_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = tiny_config().model, list[int]()
    monkeypatch.setattr(memory, "_check", lambda size, *_: asked.append(size))
    request = SampleRequest(labels=(3,) * 50, steps=10)
    for frames in (False, True):
        memory.check_sampling(request, model, CPU, 20, frames)
    layers = 4 * 2 * 20 * memory._per_image(model, memory.AT_ONCE)
    assert asked == [50 * 784, layers, 50 * 784 * (1 + 3 * 11), layers]
    asked.clear()
    memory.check_sampling(request, model.with_changes(channels=3), CPU, 20, frames=False)
    assert asked == [50 * 784 * 3, layers]


def test_pictures_are_kept_in_the_machines_memory_and_layers_in_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(memory, "_check", lambda _size, device, *_: asked.append(device.type))
    request = SampleRequest(labels=(3,) * 50, steps=10)
    memory.check_sampling(request, tiny_config().model, torch.device("cuda"), 20, frames=True)
    assert asked == ["cpu", "cuda"]


def test_little_is_not_asked_about_and_what_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: torch.device) -> int:
        raise AssertionError("nobody asks for so little")

    monkeypatch.setattr(memory, "free", never)
    memory._check(memory.SMALL, CPU, "It", "Ask for less.")
    monkeypatch.setattr(memory, "free", lambda _: 2 * memory.SMALL)
    memory._check(2 * memory.SMALL, CPU, "It", "Ask for less.")
    with pytest.raises(BadRequest, match=r"It would take 0\.1 GB of memory; 0\.1 GB are free"):
        memory._check(2 * memory.SMALL + 1, CPU, "It", "Ask for less.")


def test_what_others_use_is_not_free_and_what_torch_keeps_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _device: (5, 9))  # free, and all there is
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda _device: 40)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda _device: 30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=3, total=7))
    assert memory.free(torch.device("cuda")) == 15 and memory.free(CPU) == 3


def test_more_pictures_than_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda _: 10**9)
    request = SampleRequest(labels=(3,) * 100_000, steps=1000, sampler="ddim")
    with pytest.raises(BadRequest, match=r"100,000 images of 1,000 steps would take [\d.]+ GB.*1.0 GB are free"):
        next(iter(pipeline.sample(request, device="cpu")))
    few = request.with_changes(labels=(3, 4), steps=2)
    assert list(pipeline.sample(few, device="cpu"))


def test_the_figure_is_right_within_a_factor_of_three() -> None:
    """Against what a training step really holds for its way back."""
    from ml.models import build

    model = ModelConfig(widths=(32, 64), image_size=28)
    network, held = build(model), 0

    def kept(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal held
        held += tensor.numel() if tensor.shape[:1] == (16,) else 0
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        network(torch.randn(16, 1, 28, 28), torch.rand(16), torch.zeros(16, dtype=torch.long))
    counted = 16 * memory._per_image(model, memory.KEPT)
    assert counted / 3 < held < counted * 3, (counted, held)


GROWTH = 300 * 2**20  # bytes


@pytest.mark.slow
@pytest.mark.parametrize("optimized", [False, True])
def test_ten_thousand_digits_take_little_memory_on_their_way(optimized: bool) -> None:
    few = SampleRequest(model="student", sampler="student", steps=1, labels=(3,) * 200)
    many = few.with_changes(labels=tuple(k % 10 for k in range(10_000)))
    process = Process()
    list(pipeline.sample(few, device="cpu", frames=False, optimized=optimized))
    before, most = process.memory_info().rss, 0

    def control() -> RunControl:
        class Watching(RunControl):
            @property
            def cancelled(self) -> bool:  # asked at every step
                nonlocal most
                most = max(most, process.memory_info().rss)
                return False

        return Watching()

    *_, done = pipeline.sample(many, device="cpu", frames=False, optimized=optimized, control=control())
    assert isinstance(done, Sampled) and len(done.images) == 10_000
    assert max(most, process.memory_info().rss) - before < GROWTH
