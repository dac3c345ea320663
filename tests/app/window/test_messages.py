"""Messages lie over their page: they move nothing, successes go, errors stay, and all are in a list."""

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from desktop_app.settings import AppSettings
from desktop_app.viewmodels.notification import MAX_PAST, Message, Messages
from desktop_app.widgets.window import message_bar
from desktop_app.window.main_window import MainWindow
from ml.events import Failed
from tests.app.conftest import Opener
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp

SAVED, LOST = Message("success", "Saved."), Message("error", "Lost.", "Try again.")


@pytest.fixture
def open_window(opened: Opener, settings: AppSettings, qtbot: QtBot) -> MainWindow:
    window = opened(settings)
    window.show()
    qtbot.waitExposed(window)
    return window


def places(window: MainWindow) -> list[QRect]:
    return [
        widget.geometry() for widget in (window.pages, window.history, window.generate.grid, window.generate.prompt)
    ]


@pytest.mark.usefixtures("dressed")
def test_a_message_lies_over_the_page_and_moves_nothing(open_window: MainWindow, qtbot: QtBot) -> None:
    window, bar = open_window, open_window.messages
    before = places(window)
    window.show_message(
        Message("error", "Lost.", "A long text of what is to be done now. " * 9, (("export", "Again"),))
    )
    over = bar.parentWidget()
    side = window.generate.foot.parentWidget()
    assert bar.isVisible() and over is not None and side is not None and bar.geometry().bottom() < over.height()
    assert bar.geometry().right() < side.mapTo(over, QPoint(0, 0)).x()  # not over the settings
    high, wide = bar.height(), window.width()
    window.resize(window.minimumWidth(), window.height())
    qtbot.waitUntil(lambda: bar.height() > high, timeout=WAIT_MS)  # narrower, and so higher
    window.resize(wide, window.height())
    qtbot.waitUntil(lambda: places(window) == before, timeout=WAIT_MS)


def test_a_success_goes_by_itself_and_an_error_stays(
    open_window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, bar = open_window, open_window.messages
    bar._success.setInterval(0)
    window.show_message(LOST)
    assert not bar._success.isActive()
    window.show_message(SAVED)
    assert bar.title() == "Saved."
    qtbot.waitUntil(lambda: bar.title() == "Lost.", timeout=WAIT_MS)  # it is below
    assert bar.isVisible() and not bar._success.isActive()
    monkeypatch.setattr(message_bar.MessageBar, "underMouse", lambda _bar: True)
    window.show_message(SAVED)
    bar._success.stop()
    bar._end_success()
    assert bar.isVisible() and bar._success.isActive()  # while somebody looks at it


def test_a_message_belongs_to_its_page(open_window: MainWindow) -> None:
    window, bar, context = open_window, open_window.messages, open_window.session.context
    context.notify(LOST)
    assert bar.isVisible()
    window.rail.set_page("models")
    assert bar.isHidden() and window.status.messages_button.accessibleName() == "Messages: Generate: Lost."
    context.notify(SAVED)
    assert bar.title() == "Saved."
    window.rail.set_page("generate")
    assert bar.title() == "Lost." and bar.isVisible()
    assert window.status.messages_button.accessibleName() == "Messages: Models: Saved."
    bar.dismiss()
    assert bar.isHidden()


def test_the_list_has_the_messages_of_the_past_and_opens_them_again(open_window: MainWindow) -> None:
    window, context = open_window, open_window.session.context
    assert [action.isEnabled() for action in window.message_view.open_list().actions()] == [False]
    context.notify(LOST)
    window.messages.dismiss()
    window.rail.set_page("models")
    context.notify(Message("info", "R&D"))
    window.status.messages_button.click()
    menu = window.status.messages_button.findChildren(QMenu)[-1]
    newest, oldest = menu.actions()
    assert newest.text().endswith("Models · R&&D") and oldest.text().endswith("Generate · Lost.")
    oldest.trigger()
    assert window.rail.page() == "generate" and window.messages.title() == "Lost." and window.messages.isVisible()
    menu.close()


def test_errors_of_a_page_pile_up_but_not_the_same_one() -> None:
    messages = Messages()
    first, second = Message("error", "A", page="draw"), Message("error", "B", page="draw")
    for message in (first, second, Message("info", "C", page="draw"), first, Message("error", "E", page="train")):
        messages.add(message)
    assert messages.shown("draw") == first and messages.waiting("draw") == Message("error", "E", page="train")
    messages.close(first)
    assert messages.shown("draw") == second  # the notice is gone, since another message of its page came
    messages.close(second)
    assert messages.shown("draw") is None and messages.shown("train") and len(messages.past) == 5
    messages.add(LOST)
    assert messages.shown("draw") == messages.shown("train") == LOST and messages.waiting("train") is None
    for _ in range(MAX_PAST):
        messages.add(SAVED)
    assert len(messages.past) == MAX_PAST


def test_a_failure_belongs_to_the_page_from_which_its_job_was_started(app: FakeApp) -> None:
    context = app.context
    context.use_page("draw")
    job = context.submit(lambda _control: iter(()), lambda _event: None)
    context.use_page("train")
    app.engine.end(job, Failed("bug", "It broke.", "", ""))
    context.notify(SAVED)
    assert [message.page for message in app.messages] == ["draw", "train"]
    opening = context.submit(
        lambda _control: iter(()), lambda event: context.use_page("models") if event == 1 else None
    )
    app.engine.give(opening, 1)  # an event that brings a page to the front speaks for it
    context.use_page("draw")
    app.engine.end(opening, Failed("bug", "It broke.", "", ""))
    assert app.messages[-1].page == "train"
