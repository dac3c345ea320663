"""The person's set on the Draw page: what can be added, chosen, removed and renamed, and where training leads."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.pages.draw import DrawPage
from desktop_app.pages.own_set import NEW, OwnSetSection
from desktop_app.viewmodels.own_set import OwnSet
from tests.support.fake_app import FakeApp
from tests.support.hand import SIGNS, Hand, strokes, trace


@pytest.fixture
def page(made_up: FakeApp, qtbot: QtBot) -> DrawPage:
    page = DrawPage(made_up.session.draw, made_up.context)
    qtbot.addWidget(page)
    page.resize(1208, 728)
    return page


@pytest.fixture
def part(page: DrawPage) -> OwnSetSection:
    return page.own_set


@pytest.fixture
def own(made_up: FakeApp) -> OwnSet:
    return made_up.session.draw.own_set


def perform(app: FakeApp) -> None:
    while app.engine.jobs:
        app.engine.perform()


def draw(app: FakeApp, page: DrawPage, sign: str, seed: int = 0) -> None:
    """Draw a sign on the page's canvas, name it, and add it."""
    page.show()
    for stroke in strokes(sign, np.random.default_rng(seed)):
        trace(page.canvas, stroke)
    page.own_set.name.field.setText(sign)
    page.own_set.add_button.click()
    perform(app)


def test_a_drawing_with_a_name_is_added(
    made_up: FakeApp, page: DrawPage, part: OwnSetSection, own: OwnSet, qtbot: QtBot
) -> None:
    assert not part.add_button.isEnabled() and part.train.isHidden() and part.drawings.isHidden()
    for stroke in strokes("lambda", np.random.default_rng(1)):
        trace(page.canvas, stroke)
    drawn = page._draw.drawing.copy()
    assert not part.add_button.isEnabled()  # it has no name
    qtbot.keyClicks(part.name.field, "lambda")
    qtbot.mouseClick(part.add_button, Qt.MouseButton.LeftButton)
    perform(made_up)
    assert np.array_equal(own.drawings[0].pixels, drawn) and part.status.text() == "1 of 12 drawings of lambda"
    assert not part.add_button.isEnabled() and not part.train.isHidden()
    draw(made_up, page, "heart")
    assert [part.name.combo.itemText(k) for k in range(part.name.combo.count())] == ["heart", "lambda"]
    part.name.combo.setCurrentIndex(1)
    assert own.class_name == "lambda" and len(part.drawings.images()) == 1


def test_the_chosen_drawing_is_removed(made_up: FakeApp, page: DrawPage, part: OwnSetSection, own: OwnSet) -> None:
    for seed in range(3):
        draw(made_up, page, "heart", seed)
    kept = [drawing.path for drawing in own.drawings]
    assert not part.remove.isEnabled()
    part.drawings.cellClicked.emit(1)
    part.drawings.cellClicked.emit(1)  # not, after all
    assert not part.remove.isEnabled()
    part.drawings.cellClicked.emit(1)
    part.remove.click()
    perform(made_up)
    assert [drawing.path for drawing in own.drawings] == [kept[0], kept[2]] and not part.remove.isEnabled()


def test_names_are_asked_for(made_up: FakeApp, page: DrawPage, part: OwnSetSection, own: OwnSet) -> None:
    draw(made_up, page, "heart")
    part.rename.click()
    assert part.naming.edit.text() == "heart"
    part.naming.edit.setText("a/b")
    part.naming.ok.click()
    assert "can't contain '/'" in part.naming.problem.text() and own.class_name == "heart"
    part.naming.edit.setText("leaf")
    part.naming.ok.click()
    perform(made_up)
    assert own.class_name == "leaf" and part.name.field.text() == "leaf"
    part.choice.valueChanged.emit(NEW)
    part.naming.cancel.click()
    assert own.name == part.choice.value() == "drawings"
    part.choice.valueChanged.emit(NEW)
    part.naming.edit.setText("signs")
    part.naming.ok.click()
    perform(made_up)
    assert own.name == part.choice.value() == "signs"
    part.choice.valueChanged.emit("drawings")
    perform(made_up)
    assert own.name == "drawings" and "leaf" in own.classes


def test_training_leads_to_its_page(made_up: FakeApp, page: DrawPage, part: OwnSetSection, qtbot: QtBot) -> None:
    draw(made_up, page, "heart")
    with qtbot.waitSignal(page.pageRequested) as asked:
        part.train.click()
    assert asked.args == ["train"] and made_up.session.train.active


def test_the_hand_draws_every_sign_each_time_differently(made_up: FakeApp) -> None:
    hand = Hand(made_up.session.draw, 0)
    for sign in SIGNS:
        first, second = hand.draw(sign), hand.draw(sign)
        assert 200 < int((first > 0).sum() + (second > 0).sum()) < 800
        apart = np.abs(first.astype(int) - second).mean()
        assert 4 < apart < 80, sign
