"""What a plot's file says of itself is believed as far as what it draws is as it was."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from ml.errors import BadFile
from ml.export import plot_metadata
from ml.imaging.png import text_chunk

PLOTS = Path(__file__).parents[2] / "corpus" / "v1"
SUFFIXES = (".svg", ".pdf", ".png", ".csv")


def proof_of(path: Path, content: bytes, suffix: str) -> plot_metadata.Proof:
    told = plot_metadata.read(PLOTS / f"loss{suffix}")
    assert told and told.shown
    (path / f"x{suffix}").write_bytes(content)
    return plot_metadata.prove(path / f"x{suffix}", told)


def drawing_changed(content: bytes, suffix: str) -> bytes:
    """Something else in what is shown."""
    if suffix == ".png":
        with Image.open(io.BytesIO(content)) as image:
            pixels = image.convert("RGB")
        pixels.putpixel((3, 3), (1, 2, 3))
        buffer = io.BytesIO()
        pixels.save(buffer, "PNG")
        return buffer.getvalue()
    if suffix == ".csv":
        return content.replace(b"Loss,run,0,1,", b"Loss,run,0,2,", 1)
    if suffix == ".svg":
        return content.replace(b"</desc>", b"</desc><g/>", 1)
    return content.replace(b"endobj", b" endobj")


def description_changed(content: bytes, suffix: str) -> bytes:
    """Something else in what it tells, and nothing in what is shown."""
    if suffix == ".png":
        with Image.open(io.BytesIO(content)) as image:
            buffer = io.BytesIO()
            image.save(buffer, "PNG", pnginfo=text_chunk("{}"))
        return buffer.getvalue()
    if suffix == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode())))
        rows[1][-1] = "{}"
        buffer_of_words = io.StringIO()
        csv.writer(buffer_of_words).writerows(rows)
        return buffer_of_words.getvalue().encode()
    if suffix == ".svg":
        start, end = content.index(b"<desc>"), content.index(b"</desc>")
        return content[:start] + b"<desc>{}" + content[end:]
    return content.replace(b"/CreationDate (", b"/CreationDate (1", 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_drawn_counts_and_what_is_told_does_not(tmp_path: Path, suffix: str) -> None:
    content = (PLOTS / f"loss{suffix}").read_bytes()
    for changed in (content, description_changed(content, suffix)):
        assert proof_of(tmp_path, changed, suffix).same
    changed = drawing_changed(content, suffix)
    assert changed != content
    proof = proof_of(tmp_path, changed, suffix)
    assert not proof.same and "another plot" in proof.words and "changed it" in proof.why


def test_a_plot_of_an_older_version_has_no_record_of_what_it_showed(tmp_path: Path) -> None:
    told = plot_metadata.read(PLOTS / "loss.csv")
    assert told
    proof = plot_metadata.prove(PLOTS / "loss.csv", told.with_changes(shown=""))
    assert not proof.same and "no record" in proof.words


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_file_of_the_kind_is_no_plot_of_ours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".png":
        Image.new("L", (9, 9)).save(path)
    else:
        others = {".svg": b'<svg xmlns="http://www.w3.org/2000/svg"><desc>mine</desc></svg>', ".csv": b"a,b\n1,2\n"}
        path.write_bytes(others.get(suffix, b"%PDF-1.4\nendobj\n"))
    assert plot_metadata.read(path) is None
    assert plot_metadata.read(tmp_path / "x.txt") is None


def test_a_plot_that_tells_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot_metadata, "MAX_TEXT", 100)
    with pytest.raises(BadFile, match="too much"):
        plot_metadata.read(PLOTS / "loss.svg")


def test_a_plot_is_read_whatever_the_case_of_its_ending(tmp_path: Path) -> None:
    (tmp_path / "X.SVG").write_bytes((PLOTS / "loss.svg").read_bytes())
    told = plot_metadata.read(tmp_path / "X.SVG")
    assert told and plot_metadata.prove(tmp_path / "X.SVG", told).same
