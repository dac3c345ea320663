"""OpenAI's ViT-B/32: the real architecture with random weights from files, and the download from a server here."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from ml.config import NO_LABEL, SampleRequest
from ml.control import RunControl
from ml.errors import BadFile, DataUnavailable
from ml.events import Frame, Progress, Sampled
from ml.generation import clip_matcher, pipeline
from ml.models import openai_clip
from tests.support.bad_server import CONTENT, Site


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as open_clip's users have it, with weights of no use."""
    torch.manual_seed(0)
    made = open_clip.create_model(openai_clip.ARCHITECTURE).state_dict()
    path = tmp_path_factory.mktemp("clip") / "vit.safetensors"
    save_file({name: tensor.half().contiguous() for name, tensor in made.items()}, path)
    return path


@pytest.fixture(scope="module")
def network(weights: Path) -> openai_clip.OpenAIClip:
    """Loaded once, as what steers by it loads it."""
    found = clip_matcher._load_openai(str(weights), "cpu")
    assert isinstance(found, openai_clip.OpenAIClip)
    return found


def test_images_are_seen_as_open_clip_shows_them(network: openai_clip.OpenAIClip) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(pixels).resize((28, 28), Image.Resampling.BOX, box=(0, 0, 7, 7)))
    transform: Any = open_clip.image_transform(224, is_train=False)
    theirs = network.clip.encode_image(transform(Image.fromarray(pixels).convert("RGB"))[None], normalize=True)
    ours = network.encode_images(torch.from_numpy(pixels.copy()).float()[None, None] / 127.5 - 1)
    assert float((ours * theirs).sum()) > 0.999


def test_sentences_are_read_by_open_clips_tokenizer(network: openai_clip.OpenAIClip) -> None:
    tokens = open_clip.get_tokenizer("ViT-B-32")(["a photo of a dog"])
    theirs = network.clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(network.encode_texts(["a photo of a dog"]), theirs)


def test_it_steers_the_model_without_classes(tiny_unconditional: Path, weights: Path) -> None:
    def drawn(scale: float, frames: bool) -> list[Any]:
        request = SampleRequest(
            model=str(tiny_unconditional), labels=(NO_LABEL,) * 2, seed=3, route="clip", prompt="a seven",
            clip=str(weights), clip_scale=scale, sampler="ddpm", steps=2, sigma_max=10,
        )  # fmt: skip
        return list(pipeline.sample(request, device="cpu", frames=frames))

    *_, frame, done = drawn(50.0, frames=True)
    assert isinstance(frame, Frame) and isinstance(done, Sampled)
    assert frame.similarity is not None and frame.similarity.shape == (2,)
    [unsteered] = drawn(0.0, frames=False)
    assert not np.array_equal(done.images, unsteered.images)


def test_a_text_excludes_the_digits_that_it_does_not_name(weights: Path) -> None:
    assert len(clip_matcher.matcher("a handwritten 7", str(weights), "cpu").texts) == 1 + 9
    assert len(clip_matcher.matcher("dog", str(weights), "cpu").texts) == 1 + 10


def test_a_plain_state_dict_is_read(tmp_path: Path, weights: Path, network: openai_clip.OpenAIClip) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": {f"module.{name}": t for name, t in network.clip.state_dict().items()}}, path)
    torch.testing.assert_close(openai_clip.load(path).encode_texts(["seven"]), network.encode_texts(["seven"]))


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_what_would_run_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"state_dict": Touch(tmp_path / "touched")}, path)
    with pytest.raises(BadFile, match=r"evil\.pt is damaged, or more than weights"):
        openai_clip.load(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.safetensors", b"", "damaged"),
        ("x.safetensors", b"\xff" * 100, "damaged"),
        ("x.pt", b"not a pickle", "damaged"),
        ("x.pt", None, "no weights"),
        ("y.pt", None, "no file"),
    ],
)
def test_other_files_are_refused_with_the_next_step(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is None:
        buffer = io.BytesIO()
        torch.save([1, 2], buffer)
        content = buffer.getvalue()
    (tmp_path / "x").with_suffix(Path(name).suffix).write_bytes(content)
    with pytest.raises(BadFile, match=said) as caught:
        openai_clip.load(tmp_path / name)
    assert "ViT-B-32" in caught.value.what_to_do


def test_another_network_is_refused(tmp_path: Path) -> None:
    save_file({"positional_embedding": torch.zeros(3)}, tmp_path / "small.safetensors")
    with pytest.raises(BadFile, match="expected"):
        openai_clip.load(tmp_path / "small.safetensors")


# ---- the download


@pytest.fixture
def from_here(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("NOISELOOM_DOWNLOADS", str(tmp_path / "kept"))
    monkeypatch.setattr(openai_clip, "URLS", (site.url + "file.gz",))
    site.tags["file.gz"] = hashlib.sha256(CONTENT).hexdigest()
    return site


def test_the_weights_are_downloaded_by_name_once(from_here: Site) -> None:
    steps = list(clip_matcher.obtain("ViT-B-32"))
    assert steps[-1].done == steps[-1].total == len(CONTENT)
    assert openai_clip.weights_path().read_bytes() == CONTENT
    assert list(clip_matcher.obtain("ViT-B-32")) == []


def test_a_file_that_is_not_what_the_server_named_is_refused(from_here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.system.download.TRIES", 1)
    from_here.tags["file.gz"] = "0" * 64
    with pytest.raises(DataUnavailable, match=r"wrong checksum.*the digit CLIP, which needs no download"):
        list(clip_matcher.obtain("ViT-B-32"))
    assert not openai_clip.weights_path().exists()


def test_no_network_is_said_before_anything_is_drawn(
    from_here: Site, tiny_unconditional: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_clip, "URLS", ("http://127.0.0.1:9/x",))
    monkeypatch.setattr("ml.system.download.TRIES", 1)
    request = SampleRequest(model=str(tiny_unconditional), route="clip", prompt="seven", clip="ViT-B-32")
    with pytest.raises(DataUnavailable, match=r"refused.*Check the network.*digit CLIP"):
        list(pipeline.sample(request, device="cpu"))


def test_the_download_can_be_cancelled_and_gone_on_with(from_here: Site, tiny_unconditional: Path) -> None:
    control = RunControl()
    request = SampleRequest(model=str(tiny_unconditional), route="clip", prompt="seven", clip="ViT-B-32")
    seen = []
    for event in pipeline.sample(request, device="cpu", control=control):
        seen.append(event)
        control.cancel()
    assert len(seen) == 1 and isinstance(seen[0], Progress)
    list(clip_matcher.obtain("ViT-B-32"))
    last = from_here.requests[-1]
    assert last and int(last.removeprefix("bytes=").removesuffix("-")) >= seen[0].done > 0
