"""A page is added in two new files and two changed ones, and then is part of the window."""

import json
from pathlib import Path

from tests.support.recipes import Copy

USE_IT = """
import json

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop_app import lesson_file
from desktop_app.app import open_window
from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.settings import AppSettings, load_settings, save_settings

app = QApplication([])
window = open_window(AppSettings(reduced_motion=True))
assert QTest.qWaitForWindowActive(window)  # or its shortcuts would not work
QTest.keyClick(window, Qt.Key(Qt.Key.Key_0 + len(PAGE_KEYS)), Qt.KeyboardModifier.ControlModifier)
page = window.page("noise")
shown = window.rail.page(), window.pages.currentWidget() is page, page.isVisible()
page.count.box.setValue(4)
images = len(page.grid.images())
save_settings(window.remember())
kept = load_settings()
QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
undone = len(page.grid.images())
lesson = window.session.lessons.describe("noise", "Noise", "What is it?", "", ("Images",))
window.session.lessons.begin(lesson.model_copy(update={"noise": lesson.settings.with_changes(count=2)}))
print(json.dumps({
    "tip": window.rail.button("noise").toolTip(),
    "shown": shown,
    "images": images,
    "kept": [kept.page, kept.noise.count, AppSettings().noise.count],
    "undone": undone,
    "lesson": [len(page.grid.images()), page.count.isVisible()],
}))
window.session.context.closed.connect(app.quit)
window.close()
app.exec()
"""


def test_a_page_of_four_files_is_shown_kept_undone_and_taught_with(tmp_path: Path) -> None:
    program = Copy(tmp_path)
    program.apply("A page")
    new = {"desktop_app/viewmodels/noise.py", "desktop_app/pages/noise.py"}
    assert program.changed() == new | {"desktop_app/settings.py", "desktop_app/pages/registry.py"}
    assert json.loads(program.run(USE_IT)) == {
        "tip": "See the noise that every image starts from (Ctrl+8)",
        "shown": ["noise", True, True],
        "images": 4,
        "kept": ["noise", 4, 10],
        "undone": 10,
        "lesson": [2, False],
    }
