"""Every page with models whose classes have names: ships and cats, 37 leaves, five numbers, or none at all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from desktop_app.tasks.draw import OpenedImage, Recognised
from desktop_app.tasks.sampling import JudgeResult
from desktop_app.text.subject import DIGIT, Subject, subject_of
from desktop_app.viewmodels.interpolate import MAX_MIXED
from ml.config import NO_LABEL, Corner
from ml.experiments.axes import Axis
from ml.imaging.embedded_png import to_text
from tests.support.fake_app import FakeApp, own_card
from tests.support.fake_engine import arguments
from tests.support.fake_events import images, whole

LEAVES = tuple(f"leaf no. {k}" if k % 2 else f"Blatt {chr(ord('a') + k // 2)}" for k in range(37))
NUMBERS = ("1", "2", "3", "4", "5")
CIFAR10 = "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck"


@pytest.fixture
def app(app: FakeApp, qapp: QApplication) -> Iterator[FakeApp]:
    """With models of a person's own beside the bundled ones."""
    app.context.models += (
        own_card("leaves", LEAVES),
        own_card("numbers", NUMBERS),
        own_card("clouds", ()),
        own_card("pair", ("ship", "whale")),
    )
    yield app
    for timer in (app.session.generate._soon, app.session.interpolate._rest, app.session.interpolate._settled):
        timer.stop()


def requested(app: FakeApp) -> tuple[int, ...]:
    """The labels of the latest drawing of the Generate page."""
    return arguments(app.engine.job("sample_and_judge"))[0].labels


# ---- in words


def test_what_a_model_draws_is_said_in_its_own_words(app: FakeApp) -> None:
    colour = app.context.subject("colour")
    assert (colour.noun, colour.a, colour.classes[8]) == ("image", "an image", "ship")
    assert colour.name(8) == "ship" and colour.name(NO_LABEL) == "any image" and colour.one(8) == "“ship”"
    assert colour.choices[:2] == [("-1", "any image"), ("0", "airplane")] and len(colour.choices) == 11
    assert colour.counted(1) == "1 image" and colour.reading(3, 0.987) == "cat · 99%"
    assert colour.prompt((8, 3)) == "ship, cat" and colour.caption_names == colour.classes
    digits = app.context.subject("digits")
    assert digits == DIGIT and digits.one(3) == "a 3" and digits.a == "a digit" and not digits.caption_names
    assert digits.name(NO_LABEL) == "any digit" and digits.prompt((3, 4, 5)) == "3-5" and digits.prompt((3, 8)) == "38"
    assert app.context.subject("unconditional") == Subject("digit", ()) and app.context.subject("gone") == DIGIT
    assert app.context.subject("numbers") == Subject("image", NUMBERS)


def test_a_file_without_its_data_is_one_of_digits_as_before(app: FakeApp) -> None:
    card = app.context.card("digits")
    assert card
    header = card.header.with_changes(data="")
    assert subject_of(card.model_copy(update={"header": header})) == DIGIT
    named = header.with_changes(classes=("ship", "cat"), model=header.model.with_changes(num_classes=2))
    assert subject_of(card.model_copy(update={"header": named})) == Subject("image", ("ship", "cat"))


def test_a_judge_is_there_for_digits_alone(app: FakeApp) -> None:
    named = {"leaves", "numbers", "clouds", "pair"}
    models = [card.name for card in app.context.drawing_models if card.bundled or card.name in named]
    judged = {name for name in models if app.context.can_judge(name)}
    assert judged == {"digits", "latent", "shuffle-flow", "student", "text", "unconditional"}
    digits = app.context.card("digits")
    assert digits
    large = digits.header.with_changes(model=digits.header.model.with_changes(image_size=32))
    app.context.models += (digits.model_copy(update={"name": "large", "header": large}),)
    assert not app.context.can_judge("large") and app.context.subject("large") == DIGIT
    drawn_on = {name for name in models if app.context.takes_drawings(name)}
    assert drawn_on == judged - {"latent"} | named


# ---- Generate


def test_a_prompt_gives_way_to_one_that_the_model_understands_and_comes_back(app: FakeApp) -> None:
    generate = app.session.generate
    generate.change(prompt="38", live=False)
    generate.use_model("colour")
    assert generate.settings.prompt == CIFAR10 and requested(app) == (*range(10),) * 3
    assert generate.understood and "digit" not in generate.understood.reading
    generate.change(prompt="two cats and a ship", live=False)
    assert generate.row() == (3, 3, 8)
    generate.use_model("colour-latent")
    assert generate.settings.prompt == "two cats and a ship"  # the same classes
    generate.use_model("student")
    assert generate.settings.prompt == "38"
    generate.use_model("colour")
    assert generate.settings.prompt == "two cats and a ship"


def test_a_prompt_that_makes_sense_to_another_model_is_kept(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("colour")
    generate.change(prompt="ship x2", live=False)
    generate.use_model("pair")
    assert generate.settings.prompt == "ship x2" and generate.row() == (0, 0)
    generate.change(prompt="whale", live=False)
    generate.use_model("numbers")
    assert generate.settings.prompt == "1, 2, 3, 4, 5" and generate.row() == (0, 1, 2, 3, 4)
    generate.change(prompt="3", live=False)
    assert generate.row() == (2,) * 10  # what was in the folder 3
    generate.use_model("digits")
    assert generate.settings.prompt == "0-9"  # as it was there before


def test_there_is_no_digit_where_none_is_drawn(app: FakeApp) -> None:
    generate = app.session.generate
    for model in ("colour", "leaves", "numbers"):
        generate.use_model(model)
        for prompt in ("shp", "7th of nothing", "banana", "11"):
            generate.change(prompt=prompt, live=False)
            assert "digit" not in generate.misunderstood
    generate.use_model("colour")
    generate.change(prompt="shp", live=False)
    assert "ship" in generate.misunderstood and generate.requested() is None
    generate.change(prompt="cat x101", live=False)
    assert generate.misunderstood and "digit" not in generate.misunderstood


def test_many_classes_fill_the_grid(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("leaves")
    assert generate.settings.prompt == ", ".join(LEAVES[:10]) and generate.row() == tuple(range(10))
    generate.change(prompt="all", live=False)
    assert generate.labels() == tuple(range(37))
    generate.draw()
    assert generate.doing[0] == "Drawing 37 images"


def test_a_model_without_classes_takes_no_prompt_and_no_clip_of_digits(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("clouds")
    assert (generate.settings.route, generate.settings.prompt, generate.classes) == ("class", "", 0)
    assert generate.understood and generate.understood.reading == "any images: this model takes no prompt"
    assert requested(app) == (NO_LABEL,) * 30
    generate.use_model("unconditional")
    assert generate.settings.route == "clip" and generate.settings.prompt == "a bold seven"
    assert set(generate.routes) == {"class", "text", "clip"}
    generate.use_model("colour")
    assert generate.routes == ("class",)  # words are about digits


def test_nothing_is_said_about_a_judge_where_there_is_none(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("leaves")
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0]))
    assert not generate.is_judged and generate.verdict is None and generate.shown_subject.classes == LEAVES
    generate.find_nearest(0)
    assert not app.engine.jobs_of("find_nearest")
    generate.use_model("digits")
    assert generate.is_judged


def test_a_judge_of_ones_own_images_is_heard(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("leaves")
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0]), JudgeResult(np.zeros(30, np.int64), np.ones(30, np.float32)))
    assert generate.is_judged
    generate.find_nearest(0)
    assert app.engine.jobs_of("find_nearest")


def test_an_image_branches_into_every_class_of_its_own_model(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("leaves")
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0]))
    generate.branch_into_classes(0, 2)
    assert requested(app) == tuple(range(37)) and generate.columns == 10


def test_labels_of_a_file_become_names(app: FakeApp) -> None:
    generate = app.session.generate
    request = generate.settings.with_changes(model="colour").request((8, 3, 3)).with_changes(prompt="")
    generate.restore(request, columns=3)
    assert generate.settings.prompt == "ship, cat, cat" and generate.settings.model == "colour"
    generate.open(request)
    assert generate.settings.prompt == "ship, cat"
    generate.restore(request.with_changes(prompt="a ship, two cats"), columns=3)
    assert generate.settings.prompt == "a ship, two cats"  # as it was typed


def test_captions_of_a_sheet_have_the_names(app: FakeApp, tmp_path: Path) -> None:
    generate = app.session.generate
    generate.use_model("colour")
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0]))
    generate.export(tmp_path / "sheet.png", labelled=True)
    layout = arguments(app.engine.job("export"))[1].args[3]
    assert layout.classes == app.context.subject("colour").classes
    generate.export(tmp_path / "grid.png")
    assert not arguments(app.engine.job("export"))[1].args[3].classes


# ---- Interpolate


def test_corners_and_shares_fit_the_model_and_come_back(app: FakeApp) -> None:
    page = app.session.interpolate
    own = page.settings
    page.change(model="numbers")
    assert [corner.label for corner in page.corners] == [3, 3, 0, 1] and page.shares == (0, 0, 0, 1, 0)
    assert page.settings.corners == own.corners
    page.new_seeds()
    assert [corner.label for corner in page.settings.corners] == [corner.label for corner in own.corners]
    page.change(corners=[corner.model_dump() for corner in own.corners])
    page.change(mode="classes")
    here = page.here()
    assert here and [corner.label for corner in here.corners] == [0, 1, 2, 3, 4]
    page.change(model="leaves")
    page.set_share(36, 0.5)
    assert len(page.shares) == 37 and page.shares[36] == 0.5
    again = page.here()
    assert again and page.restore(again) and page.shares[36] == 0.5 and page.settings.mode == "classes"
    page.change(model="digits", mode="pad")
    assert page.corners == own.corners and page.shares == own.shares
    app.context.models += (own_card("thousand", [f"c{k}" for k in range(1000)]),)
    page.change(model="thousand", mode="classes")
    mixed = page.here()
    assert mixed and len(mixed.corners) == MAX_MIXED


def test_pictures_are_corners_where_the_model_takes_them(app: FakeApp) -> None:
    page = app.session.interpolate
    picture = to_text(images(1, 50)[0])
    page.set_corner(0, picture=picture)
    page.change(model="colour")
    assert not page.takes_pictures and not page.corners[0].picture
    page.change(model="leaves")
    assert page.corners[0].picture == picture
    page.use_file(1, Path("a.png"))
    app.engine.end(app.engine.job("open_image"), OpenedImage(images(1)[0], NO_LABEL))
    assert page.settings.corners[1].label == 8  # no judge has read it


def test_an_image_of_other_classes_brings_its_model_as_a_corner(app: FakeApp) -> None:
    page, generate = app.session.interpolate, app.session.generate
    request = generate.settings.with_changes(model="colour").request((8,)).with_changes(seed=99)
    page.use_digit(2, request, np.zeros((32, 32, 3), np.uint8))
    assert page.settings.model == "colour" and page.settings.corners[2] == Corner(seed=99, label=8)
    page.use_digit(1, generate.settings.request((4,)).with_changes(route="text"), images(1)[0])
    assert page.settings.model == "digits" and app.engine.jobs_of("classify")


# ---- Draw


def test_a_drawing_becomes_a_class_of_the_chosen_model(app: FakeApp) -> None:
    page = app.session.draw
    page.take(images(1, 90)[0])
    assert "leaves" in page.models and not {"colour", "latent", "text"} & set(page.models)
    page.change(label=4)
    page.use_model("student")
    assert page.settings.label == 4
    page.use_model("leaves")
    assert page.settings.label == NO_LABEL
    page.change(label=36)
    request = page.request()
    assert request and request.model == "leaves" and set(request.labels) == {36}
    page.change(task="rebuild")
    page.make()
    job = app.engine.job("sample")
    app.engine.end(job, *whole(arguments(job)[0]))
    assert page.captions == ("its noise", "and back", *LEAVES)
    page.recognise()
    assert arguments(app.engine.job("recognise"))[1] == "leaves"
    app.engine.end(app.engine.job("recognise"), Recognised(np.full(37, 1 / 37, np.float32)))
    assert page.probabilities is not None
    page.use_model("clouds")
    assert page.probabilities is None and not page.can_recognise
    page.recognise()
    assert not app.engine.jobs_of("recognise")
    own = page.request()
    assert own and page.restore(own) and page.settings.model == "clouds"


def test_a_generated_image_brings_its_model_to_the_drawing(app: FakeApp) -> None:
    generate, page = app.session.generate, app.session.draw
    generate.use_model("leaves")
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0]))
    assert generate.can_draw_on and generate.can_be_corner and generate.use_as_drawing(0)
    assert page.settings.model == "leaves"
    app.session._replace_model("leaves", "digits")
    assert page.settings.model == "digits"


# ---- Compare and the race


def test_classes_are_compared_by_name(app: FakeApp) -> None:
    page = app.session.compare
    page.change(model="colour")
    assert page.settings.digits == CIFAR10 and page.labels() == tuple(range(10)) and page.ready
    page.change(digits="ship x2")
    assert page.labels() == (8, 8)
    page.set_field("rows", "label")
    assert page.values("label") == "airplane, automobile, bird, cat, deer" and page.picks_classes
    page.set_values("label", "8, 3")  # as the list writes it, and as files of before have it
    axis = page.axis("rows")
    assert (
        axis and axis == Axis("label", (8, 3), app.context.subject("colour").classes) and axis.names == ("ship", "cat")
    )
    assert page.picked_classes == (8, 3)
    page.change(model="numbers")
    assert page.picked_classes == (0, 1, 2, 3, 4)  # it has no class 8
    page.set_values("label", "")
    assert not page.picked_classes and page.trouble("rows")
    page.change(model="digits")
    assert page.settings.digits == "0-9" and not page.picks_classes
    page.set_values("label", "0-2")
    page.change(model="clouds")
    assert "without classes" in page.trouble("rows")
    page.change(rows="steps")
    assert page.labels() == (NO_LABEL,) * 10 and page.ready


def test_models_of_other_classes_are_compared_by_what_they_share(app: FakeApp) -> None:
    page = app.session.compare
    page.change(rows="model", values={"model": "digits, colour"})
    assert page.ready and page.labels() == tuple(range(10))  # by number, as before
    page.change(digits="ship")
    assert "other classes" in page.trouble("digits")
    page.set_values("model", "colour@200, colour-latent")
    assert page.settings.digits == "ship" and page.labels() == (8,)
    page.set_values("model", "unconditional, colour")
    assert page.subject == app.context.subject("colour")


def test_a_race_of_models_with_and_without_classes(app: FakeApp) -> None:
    page = app.session.compare
    lanes = [{"model": "colour"}, {"model": "clouds"}]
    page.change(mode="race", lanes=lanes)
    assert page.settings.digits == CIFAR10
    page.change(digits="ship, cat")
    page.race.start()
    first, second = page.race.requests
    assert first.labels == (8, 3) and second.labels == (NO_LABEL,) * 2
    page.race.restore([first, second])
    assert page.settings.digits == "ship, cat"
    page.race.stop()


# ---- lessons


def test_lessons_with_numbers_stay_valid(app: FakeApp) -> None:
    generate = app.session.generate
    generate.put(generate.settings.with_changes(model="colour", prompt="3"))
    assert requested(app) == (3,) * 30 and generate.understood and "cat" in generate.understood.reading
