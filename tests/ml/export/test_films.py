"""MP4 films play everywhere, rest at both ends, and hostile ones are refused."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ml.config import SampleRequest
from ml.errors import BadFile, BadRequest
from ml.events import Pixels
from ml.export import files, mp4, verify
from ml.export.base import Export
from ml.export.formats import FORMATS
from ml.export.metadata import Layout

REQUEST = SampleRequest(labels=(3, 1, 4, 1, 5), seed=7, steps=4, prompt="drei „π“ 31415", model_hash="ab" * 32)
LAYOUT = Layout(columns=3, scale=3, gap=1, frame_ms=80, first_ms=600, last_ms=1000)


@pytest.fixture
def film() -> list[Pixels]:
    """Four steps of five noisy 9 x 9 images: a grid with odd sides."""
    return list(np.random.default_rng(0).integers(0, 256, (4, 5, 9, 9), np.uint8))


@pytest.fixture
def path(tmp_path: Path, film: list[Pixels]) -> Path:
    files.save(tmp_path / "x.mp4", film[-1], REQUEST, LAYOUT, film)
    return tmp_path / "x.mp4"


def test_a_film_is_h264_that_any_player_shows(path: Path, film: list[Pixels]) -> None:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.profile in ("Main", "Constrained Baseline", "Baseline")
        height, width = Export(FORMATS[".mp4"], film[-1], REQUEST, LAYOUT).shown().shape
        assert (width, height) == (87, 57)
        assert (context.width, context.height) == (88, 58)
        pictures = [frame.to_ndarray(format="gray").astype(np.uint8) for frame in container.decode(video=0)]
        assert stream.average_rate == 25
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # begins to play before it is loaded
    changes = [
        0,
        *(k for k in range(1, len(pictures)) if np.abs(means(pictures, k) - means(pictures, k - 1)).max() > 8),
    ]
    shown_ms = [40 * frames for frames in np.diff([*changes, len(pictures)])]
    assert shown_ms == [600, 80, 80, 1000]


def means(pictures: list[Pixels], k: int) -> np.ndarray:
    return pictures[k][:57, :87].reshape(19, 3, 29, 3).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("times", "expected"),
    [((90, 60, 300), [90, 60, 300]), ((50, 70, 30), [40, 80, 40]), ((1000, 1000, 1000), [1000] * 3)],
)
def test_pictures_last_as_long_as_they_should(tmp_path: Path, times: tuple[int, int, int], expected: list[int]) -> None:
    """As nearly as an even pace of at least twenty milliseconds can."""
    pictures = [np.full((16, 16), shade, np.uint8) for shade in (0, 128, 255)]
    path = tmp_path / "x.mp4"
    mp4.encode(path, pictures.__getitem__, times, "{}", lambda *_: None)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        pace = 1000 / float(container.streams.video[0].average_rate or 0)
    shades = [round(float(frame.to_ndarray(format="gray").mean()) / 128) for frame in frames]
    assert [shades.count(shade) * pace for shade in range(3)] == pytest.approx(expected, rel=0.02)


def test_every_picture_is_watched(tmp_path: Path, film: list[Pixels]) -> None:
    for suffix in (suffix for suffix, file_format in FORMATS.items() if file_format.animated):
        seen: list[tuple[int, int]] = []
        files.save(
            tmp_path / f"x{suffix}",
            film[-1],
            REQUEST,
            LAYOUT,
            film,
            lambda done, total, seen=seen: seen.append((done, total)),
        )
        assert {(k, 4) for k in range(4)} <= set(seen) and seen[-1] == (4, 4)


def test_colours_come_out_as_colours(tmp_path: Path) -> None:
    red = np.zeros((2, 1, 8, 8, 3), np.uint8)
    red[..., 0] = 230
    files.save(tmp_path / "x.mp4", red[-1], REQUEST.alone(0), Layout(columns=1, scale=4), list(red))
    found = files.read_pixels(tmp_path / "x.mp4")
    assert np.abs(found.astype(int) - [230, 0, 0]).max() < 12


def test_the_last_picture_has_to_be_the_recorded_one(path: Path, film: list[Pixels], tmp_path: Path) -> None:
    stamp = files.read_stamp(path)
    assert (stamp.request, stamp.layout) == (REQUEST, LAYOUT)
    whole = verify.compare(".mp4", stamp, files.read_pixels(path), film[-1])
    assert whole.same and "as it records" in whole.words and "no exact pixels" in whole.words
    other = film[-1].copy()
    other[4] = 255 - other[4]
    assert "other pixels" in verify.compare(".mp4", stamp, files.read_pixels(path), other).words
    files.save(tmp_path / "forged.mp4", other, REQUEST, LAYOUT, [*film[:-1], other])
    forged = verify.compare(".mp4", stamp, files.read_pixels(tmp_path / "forged.mp4"), film[-1])
    assert not forged.same and "not the recorded one" in forged.words
    files.save(tmp_path / "small.mp4", other, REQUEST, LAYOUT.with_changes(scale=2), film)
    sizes = verify.compare(".mp4", stamp, files.read_pixels(tmp_path / "small.mp4"), film[-1])
    assert not sizes.same and "other sizes" in sizes.words


def test_a_film_too_wide_for_players_is_refused(tmp_path: Path) -> None:
    wide = np.zeros((150, 28, 28), np.uint8)
    with pytest.raises(BadRequest, match=r"too large for \.mp4"):
        files.save(tmp_path / "x.mp4", wide, REQUEST, Layout(columns=150, scale=1), [wide])


def test_without_an_encoder_for_h264_there_is_a_film_and_a_reason(
    tmp_path: Path, film: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mp4.encoder()[1] == ""
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    mp4.encoder.cache_clear()
    try:
        assert "H.264" in mp4.encoder()[1]
        files.save(tmp_path / "x.mp4", film[-1], REQUEST, LAYOUT, film)
    finally:
        mp4.encoder.cache_clear()
    assert files.read_request(tmp_path / "x.mp4") == (REQUEST, LAYOUT)
    assert verify.compare(".mp4", files.read_stamp(tmp_path / "x.mp4"), files.read_pixels(tmp_path / "x.mp4"), film[-1])


def test_what_is_no_film_of_pictures_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        container.metadata["comment"] = "{}"
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "other.mp4"), "w") as container:  # none that we write, and which any of FFmpeg's reads
        container.metadata["comment"] = '{"version": 1, "request": {"labels": [1]}, "layout": {}}'
        video: Any = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuvj420p"
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32), np.uint8), format="gray")))
        container.mux(video.encode(None))
    (tmp_path / "list.mp4").write_bytes(b"#EXTM3U\nhttp://localhost:9/x.mp4\n")  # no address is ever followed
    for name in ("sound.mp4", "other.mp4", "list.mp4"):
        with pytest.raises(BadFile, match="damaged"):
            files.read_request(tmp_path / name)


@pytest.mark.parametrize("limit", ["MAX_PIXELS", "MAX_FILM_PIXELS"])
def test_films_larger_than_any_of_ours_are_not_unfolded(
    path: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mp4, limit, 5000 if limit == "MAX_PIXELS" else 20_000)
    with pytest.raises(BadFile, match="far larger"):
        files.read_request(path)


def test_no_picture_is_left_out_however_short_it_is_shown(tmp_path: Path) -> None:
    pictures = [np.full((16, 16), shade, np.uint8) for shade in (0, 128, 255)]
    mp4.encode(tmp_path / "x.mp4", pictures.__getitem__, (10, 10, 10), "{}", lambda *_: None)
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3
