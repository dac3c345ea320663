"""Labelled sheets say what was drawn, as pixels and as SVG, and a hostile SVG is refused."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ml.config import Corner, SampleRequest
from ml.errors import BadFile, BadRequest
from ml.events import Pixels
from ml.export import contact_sheet, files, svg
from ml.export.metadata import Layout

REQUEST = SampleRequest(labels=(3, 1, 4, 1, 5), seed=7, steps=4, prompt="<drei> & „π“", model="a&b")
LAYOUT = Layout(columns=3, scale=2, kind="sheet", readings=("3, 99%", "7, 51%", "4, 98%", "1, 97%", "5, 96%"))
NAMES = {"svg": "http://www.w3.org/2000/svg"}


@pytest.fixture
def images() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8), np.uint8)


def words(path: Path) -> list[str]:
    return [text.text or "" for text in ElementTree.parse(path).iterfind("svg:text", NAMES)]


def test_an_svg_has_words_as_text_and_images_pixel_by_pixel(tmp_path: Path, images: Pixels) -> None:
    path = tmp_path / "x.svg"
    files.save(path, images, REQUEST, LAYOUT)
    root = ElementTree.parse(path).getroot()
    pictures = root.findall("svg:image", NAMES)
    assert len(pictures) == 5 and all("image-rendering:pixelated" in p.attrib["style"] for p in pictures)
    assert {p.attrib["width"] for p in pictures} == {"16"}
    said = words(path)
    assert said[:2] == ["<drei> & „π“", "a&b, dpm++, 4 steps, guidance 1.5, seed 7"]
    assert said[2:6] == ["3, read as 3, 99%", "seed 7", "1, read as 7, 51%", "seed 8"]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for text in root.findall("svg:text", NAMES):
        assert 0 < float(text.attrib["x"]) < width and 0 < float(text.attrib["y"]) <= height
    assert files.read_request(path) == (REQUEST, LAYOUT)
    assert np.array_equal(files.read_pixels(path), images)


def test_a_sheet_shows_the_images_and_something_under_each(tmp_path: Path, images: Pixels) -> None:
    path = tmp_path / "x.png"
    files.save(path, images, REQUEST, LAYOUT)
    assert files.read_request(path) == (REQUEST, LAYOUT)
    picture = files.read_pixels(path)
    assert np.array_equal(picture, contact_sheet.sheet(images, REQUEST, LAYOUT))
    plan = contact_sheet.planned(images, REQUEST, LAYOUT)
    for image, (x, y) in zip(images, plan.corners, strict=True):
        assert np.array_equal(picture[y : y + 16 : 2, x : x + 16 : 2, 0], image)
        assert (picture[y + 17 : y + 48, x : x + 100] < 128).any()
    silent = contact_sheet.sheet(images, REQUEST, LAYOUT.with_changes(readings=()))
    assert silent.shape == picture.shape and not np.array_equal(silent, picture)
    white = np.all(picture == 255, axis=-1)
    assert white[:, -8:].all() and white[-8:].all()  # nothing runs over the edge


def places(path: Path) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Where the images of an SVG are, and its words."""
    root = ElementTree.parse(path).getroot()
    found = ([(float(e.attrib["x"]), float(e.attrib["y"])) for e in root.findall(f"svg:{tag}", NAMES)]
             for tag in ("image", "text"))  # fmt: skip
    first, second = found
    return first, second


def test_images_stand_in_rows_with_their_words_below(tmp_path: Path, images: Pixels) -> None:
    files.save(tmp_path / "x.svg", images, REQUEST, LAYOUT)
    corners, written = places(tmp_path / "x.svg")
    left, top = corners[0]
    across, down = contact_sheet.CELL + contact_sheet.GAP, 16 + 2 * contact_sheet.LINE + contact_sheet.GAP
    assert corners == [(left + k % 3 * across, top + k // 3 * down) for k in range(5)]
    below = [(x, y + 16 + line * contact_sheet.LINE) for x, y in corners for line in (1, 2)]
    assert written[2:] == below and written[0][1] < written[1][1] < top
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    width, height = contact_sheet.size_of(5, 8, LAYOUT)
    assert (
        float(root.attrib["width"])
        == width
        == 2 * contact_sheet.MARGIN + 3 * contact_sheet.CELL + 2 * contact_sheet.GAP
    )
    assert height == 2 * contact_sheet.MARGIN + 2 * down < float(root.attrib["height"])


def test_words_under_an_image_say_what_it_is(images: Pixels, tmp_path: Path) -> None:
    between = {"corners": (Corner(seed=1), Corner(seed=2)), "weights": ((1, 0), (0, 1))}
    for more, expected in (
        ({"labels": (-1, -1), "seed": 7}, ["read as 3, 99%", "seed 7", "seed 8"]),
        ({"labels": (3, -1), "seeds": (4, 2)}, ["3, read as 3, 99%", "seed 4", "seed 2"]),
        ({"labels": (-1, -1)} | between, ["read as 3, 99%", "image 1", "image 2"]),
    ):
        layout = LAYOUT.with_changes(readings=("3, 99%",))
        files.save(tmp_path / "x.svg", images[:2], SampleRequest.model_validate(more), layout)
        assert words(tmp_path / "x.svg")[-3:] == expected


def test_settings_name_eta_where_there_is_one() -> None:
    request = SampleRequest(labels=(1,), model="m", sampler="ddim", steps=7, guidance=2.0, seed=3)
    assert contact_sheet.settings(request) == "m, ddim, 7 steps, guidance 2, seed 3"
    assert contact_sheet.settings(request.with_changes(eta=0.5)) == "m, ddim, 7 steps, guidance 2, eta 0.5, seed 3"
    assert contact_sheet.readings(np.array([3, 8]), np.array([0.987, 0.5], np.float32)) == ("3, 99%", "8, 50%")


def test_colours_and_control_characters_survive_in_an_svg(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), np.uint8)
    request = SampleRequest(labels=(1, 2), prompt="a\x07 bell & <one>")
    files.save(tmp_path / "x.svg", colours, request, LAYOUT)
    assert np.array_equal(files.read_pixels(tmp_path / "x.svg"), colours)
    assert words(tmp_path / "x.svg")[0] == "a bell & <one>" and files.read_request(tmp_path / "x.svg")[0] == request


def test_long_prompts_are_wrapped(images: Pixels) -> None:
    request = REQUEST.with_changes(prompt="seven " * 60 + "x" * 100)
    picture = contact_sheet.sheet(images, request, LAYOUT)
    assert picture.shape[0] > contact_sheet.sheet(images, REQUEST, LAYOUT).shape[0] + 100
    assert (picture[:, -12:] == 255).all()


def test_no_letter_of_a_long_prompt_is_lost(tmp_path: Path, images: Pixels) -> None:
    prompt = "".join(chr(97 + k % 26) for k in range(130)) + " seven" * 30
    files.save(tmp_path / "x.svg", images, REQUEST.with_changes(prompt=prompt), LAYOUT)
    said = words(tmp_path / "x.svg")
    lines = said[: said.index(next(line for line in said if line.startswith("a&b, ")))]
    assert len(lines) > 3 and "".join(lines).replace(" ", "") == prompt.replace(" ", "")


def test_an_svg_of_ours_with_a_document_type_is_refused(tmp_path: Path, images: Pixels) -> None:
    path = tmp_path / "x.svg"
    files.save(path, images, REQUEST, LAYOUT)
    path.write_text("<!DOCTYPE svg>\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    for read in (files.read_request, files.read_pixels):
        with pytest.raises(BadFile):
            read(path)


def test_titles_without_a_prompt() -> None:
    assert contact_sheet.title(SampleRequest(labels=(1, 2, 1))) == "1 2"
    assert contact_sheet.title(SampleRequest(labels=(1, 2, 1)), ("a", "big cat", "3")) == "big cat, 3"
    assert contact_sheet.title(SampleRequest(labels=(-1, -1))) == "Whatever comes"
    corners = SampleRequest(labels=(-1,), corners=(Corner(seed=1), Corner(seed=2)), weights=((1, 1),))
    assert contact_sheet.title(corners) == "1 images between 2 corners"


def test_names_of_classes_are_in_titles_and_captions(tmp_path: Path, images: Pixels) -> None:
    names = ("cat", "ship", "ankle boot", "<x> & y", "a name that is much longer than an image is wide", "猫")
    request, layout = REQUEST.with_changes(prompt=""), LAYOUT.with_changes(classes=names, readings=())
    files.save(tmp_path / "x.svg", images, request, layout)
    said = words(tmp_path / "x.svg")
    assert " ".join(said[:2]) == "<x> & y, ship, a name that is much longer than an image is wide, 猫"
    assert said[3::2] == ["<x> & y", "ship", "a name that is much lo…", "ship", "猫"]
    files.save(tmp_path / "x.png", images, request, layout)
    assert files.read_request(tmp_path / "x.png") == (request, layout)
    plain = layout.with_changes(classes=(*names[:5], "class 5"))  # the font has no other
    assert np.array_equal(files.read_pixels(tmp_path / "x.png"), contact_sheet.sheet(images, request, plain))


def test_digits_by_name_are_the_same_pixels_as_digits_by_number(images: Pixels) -> None:
    for request in (REQUEST, REQUEST.with_changes(prompt="")):
        named = contact_sheet.sheet(images, request, LAYOUT.with_changes(classes=tuple("0123456789")))
        assert np.array_equal(named, contact_sheet.sheet(images, request, LAYOUT))


def test_too_many_images_are_refused(tmp_path: Path) -> None:
    many = np.zeros((10_001, 8, 8), np.uint8)
    request = SampleRequest(labels=(-1,) * 10_001)
    with pytest.raises(BadRequest, match="too many"):
        files.save(tmp_path / "x.svg", many, request, LAYOUT)
    with pytest.raises(BadRequest, match="sheet would be"):
        files.save(tmp_path / "x.png", many, request, LAYOUT.with_changes(scale=64))
    assert list(tmp_path.iterdir()) == []


SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
LAUGHS = '<!DOCTYPE svg [<!ENTITY a "{}"><!ENTITY b "&a;&a;&a;&a;">]>'.format("x" * 1000)


@pytest.mark.parametrize(
    "content",
    [
        LAUGHS + SVG.format("<metadata>&b;</metadata>"),
        '<!DOCTYPE svg SYSTEM "file:///etc/passwd">' + SVG.format("<metadata>{}</metadata>"),
        (LAUGHS + SVG.format("<metadata>&b;</metadata>")).encode("utf-16").decode("latin-1"),
        SVG.format("<metadata>&amp;"),
        SVG.format("<metadata>&unknown;</metadata>"),
        SVG.format("<g>" * 100_000 + "</g>" * 100_000),
        SVG.format(""),
        "",
    ],
)
def test_a_hostile_svg_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.svg").write_bytes(content.encode("latin-1"))
    with pytest.raises(BadFile):
        files.read_request(tmp_path / "x.svg")


@pytest.mark.parametrize(
    "address", ["http://localhost/x.png", "data:image/png;base64,!!", "data:image/png;base64,AAAA"]
)
def test_an_image_that_is_not_whole_inside_is_refused(tmp_path: Path, address: str) -> None:
    (tmp_path / "x.svg").write_text(SVG.format(f'<image href="{address}"/>'))
    with pytest.raises(BadFile):
        files.read_pixels(tmp_path / "x.svg")


def test_an_image_with_something_else_between_its_letters_is_refused(tmp_path: Path, images: Pixels) -> None:
    files.save(tmp_path / "x.svg", images, REQUEST, LAYOUT)
    whole = (tmp_path / "x.svg").read_text(encoding="utf-8")
    (tmp_path / "x.svg").write_text(whole.replace("base64,iVBOR", "base64,iV!BOR"), encoding="utf-8")
    with pytest.raises(BadFile):
        files.read_pixels(tmp_path / "x.svg")


def test_a_giant_svg_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.svg").open("wb") as file:
        file.truncate(svg.MAX_BYTES + 1)
    with pytest.raises(BadFile, match="far larger"):
        files.read_request(tmp_path / "x.svg")


def test_a_sheet_is_as_wide_as_its_images_and_no_wider(images: Pixels) -> None:
    request, layout = SampleRequest(labels=(1, 2, 3)), Layout(kind="sheet", columns=10, scale=2)
    cell = contact_sheet.CELL + contact_sheet.GAP
    width = 2 * contact_sheet.MARGIN + 3 * cell - contact_sheet.GAP
    assert contact_sheet.sheet(images[:3], request, layout).shape[1] == width
    assert contact_sheet.size_of(3, 8, layout)[0] == width


def test_an_svg_is_titled_by_what_was_asked_for(tmp_path: Path, images: Pixels) -> None:
    files.save(tmp_path / "x.svg", images, REQUEST, LAYOUT)
    assert ElementTree.parse(tmp_path / "x.svg").findtext("svg:title", namespaces=NAMES) == REQUEST.prompt
