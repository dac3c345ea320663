"""The tour: its stops one after another, by mouse and keys, with the card beside what it explains."""

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.widgets.window.tour import Stop, Tour

PLACES = (QRect(10, 10, 100, 30), QRect(690, 560, 100, 30), QRect(10, 200, 780, 380))


@pytest.fixture
def over(qtbot: QtBot) -> QWidget:
    window = QWidget()
    window.resize(800, 600)
    for number, place in enumerate(PLACES):
        button = QPushButton(str(number), window)
        button.setGeometry(place)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    return window


def begin(over: QWidget) -> tuple[Tour, list[None]]:
    parts = over.findChildren(QPushButton)
    tour = Tour(over, [Stop(f"Stop {part.text()}", "What it does.", part) for part in parts])
    ended: list[None] = []
    tour.ended.connect(lambda: ended.append(None))
    return tour, ended


def test_the_card_is_beside_the_part_and_in_the_window(over: QWidget) -> None:
    tour, ended = begin(over)
    for number, place in enumerate(PLACES):
        assert tour.hole().contains(place) and tour.rect().contains(tour.card.geometry())
        assert not tour.card.geometry().intersects(place), number
        assert tour.accessibleName() == f"Tour, stop {number + 1} of 3: Stop {number}"
        assert tour.back.isEnabled() == (number > 0)
        tour.next.click()
    assert len(ended) == 1 and tour.isHidden()


def test_keys_lead_through_it(over: QWidget, qtbot: QtBot) -> None:
    clicked: list[None] = []
    below = over.findChildren(QPushButton)[0]
    below.clicked.connect(lambda: clicked.append(None))
    below.setFocus()
    tour, ended = begin(over)
    assert tour.next.hasFocus()
    qtbot.keyClick(tour.next, Qt.Key.Key_Right)
    assert tour.stop.title == "Stop 1"
    qtbot.keyClick(tour.next, Qt.Key.Key_Return)
    assert tour.stop.title == "Stop 2" and tour.next.text() == "Done" and tour.skip.isHidden()
    qtbot.keyClick(tour.next, Qt.Key.Key_Left)
    qtbot.keyClick(tour.next, Qt.Key.Key_Tab)
    assert tour.skip.hasFocus()
    qtbot.keyClick(tour.skip, Qt.Key.Key_Backtab)
    assert tour.next.hasFocus()
    qtbot.keyClick(tour, Qt.Key.Key_Space)
    qtbot.mouseClick(tour, Qt.MouseButton.LeftButton, pos=PLACES[0].center())
    assert not clicked and tour.stop.title == "Stop 1"
    qtbot.keyClick(tour.next, Qt.Key.Key_Escape)
    assert len(ended) == 1 and below.hasFocus()


def test_it_fits_again_when_the_window_changes(over: QWidget) -> None:
    tour, _ = begin(over)
    tour.go(1)
    over.findChildren(QPushButton)[1].move(300, 300)
    over.resize(500, 400)
    assert tour.size() == over.size() and tour.rect().contains(tour.card.geometry())
    assert not tour.card.geometry().intersects(QRect(300, 300, 100, 30))
    tour.close()
