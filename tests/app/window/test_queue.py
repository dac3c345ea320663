"""The status bar lists what runs and what waits, and cancels it."""

from collections.abc import Iterator

from pytestqt.qtbot import QtBot

from desktop_app.widgets.window.navigation import StatusBar
from desktop_app.window.status import Status
from tests.support.fake_app import FakeApp


def idle(_control: object) -> Iterator[object]:
    return iter(())


def test_what_waits_is_counted_listed_and_cancelled(made_up: FakeApp, qtbot: QtBot) -> None:
    context, bar = made_up.context, StatusBar()
    qtbot.addWidget(bar)
    status = Status(made_up.session, bar)
    bar.show()
    nobodys = context.submit(idle, lambda _: None, asked=False, title="Pictures")
    assert not bar.queue.isVisible()  # it runs, and nothing waits
    training = context.submit(idle, lambda _: None, background=True, title="Training")
    drawing = context.submit(idle, lambda _: None, title="Drawing")
    assert bar.queue.isVisible() and bar.queue.text() == "1 waiting"
    bar.queue.click()
    assert status.popup.isVisible() and status.popup.titles() == ["Drawing", "Training", "Pictures"]
    status.popup.cancel_button(2).click()
    assert nobodys.control.cancelled and status.popup.titles() == ["Drawing", "Training"]
    assert not training.control.cancelled and not drawing.control.cancelled and not bar.queue.isVisible()
    made_up.engine.end(drawing)
    made_up.engine.end(training)
    assert not status.popup.isVisible()
