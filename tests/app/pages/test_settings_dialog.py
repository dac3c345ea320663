"""The Settings dialog: what it changes counts at once and is remembered, and forgetting can be taken back."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.settings_dialog import SettingsDialog
from desktop_app.pages.whats_new import WhatsNew
from desktop_app.settings import ExploreSettings, load_settings
from desktop_app.theme.controller import theme
from desktop_app.window.main_window import MainWindow
from ml import __version__
from ml.models import openai_clip
from ml.system import paths
from tests.app.conftest import Opener, leave
from tests.patience import WAIT_MS


def test_the_look_changes_at_once_and_is_remembered(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    dialog = next(each for each in QApplication.topLevelWidgets() if isinstance(each, SettingsDialog))
    dialog.theme.button("dark").click()
    dialog.motion.button("play").click()
    dialog.scale.button("8").click()
    assert theme().dark and not theme().reduced_motion and window.generate.export_scale == 8
    remembered = window.remember()
    assert (remembered.theme, remembered.reduced_motion, remembered.export_scale) == ("dark", False, 8)
    theme().set_mode("system")
    dialog.close_button.click()
    assert not dialog.isVisible()


def test_folders_are_chosen_shown_and_reset(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opener, qtbot: QtBot
) -> None:
    dialog = window.show_settings()
    usual = paths.downloads()
    assert dialog.downloads.path.full_text() == str(usual) and not dialog.downloads.reset.isVisible()
    for row in (dialog.data, dialog.downloads, dialog.exports):
        folder = tmp_path / row.accessibleName()
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, folder=folder: str(folder))
        row.choose.click()
        assert row.path.full_text() == str(folder) and row.reset.isVisible()
    window.page("compare")
    assert window.session.context.data_root == tmp_path / "Data sets"
    assert openai_clip.weights_path().parent == paths.downloads() == tmp_path / "Downloads"
    assert {page.export_folder for page in window.pages.made.values()} == {tmp_path / "Exports"}
    leave(window, qtbot)
    remembered = load_settings()
    paths.use_downloads(None)
    again = opened(remembered)
    dialog = again.show_settings()
    assert paths.downloads() == tmp_path / "Downloads" and dialog.exports.path.full_text() == str(tmp_path / "Exports")
    for row in (dialog.data, dialog.downloads, dialog.exports):
        row.reset.click()
        assert not row.reset.isVisible()
    assert paths.downloads() == usual and again.remember().data_root is None and again.remember().export_folder is None


def test_a_folder_that_nobody_chooses_stays(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    dialog = window.show_settings()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    dialog.data.choose.click()
    assert window.session.context.data_root is None and "Downloaded" in dialog.data.path.full_text()


def test_a_reset_of_all_settings_can_be_undone(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    session = window.session
    session.explore.change(digit=2, timesteps=500)
    session.context.use_data_root(tmp_path)
    before = window.remember()
    window.show_settings().reset.click()
    assert session.explore.settings == ExploreSettings() and session.context.data_root is None
    assert session.generate.settings.model == "digits" and session.generate.settings.steps != 4
    assert not theme().reduced_motion and (paths.user_models() / "tiny.safetensors").is_file()
    qtbot.waitUntil(lambda: not session.generate.busy, timeout=WAIT_MS)
    (undo,) = window.messages.action_buttons()
    undo.click()
    assert window.remember() == before
    qtbot.waitUntil(lambda: not session.generate.busy, timeout=WAIT_MS)


def test_the_update_notice_is_off_until_chosen_and_remembered(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr("ml.system.updates.newer_version", lambda: "9.0")
    dialog = window.show_settings()
    assert dialog.notice.isHidden()  # there is no address to ask
    dialog.reject()
    monkeypatch.setenv("NOISELOOM_UPDATES", "https://example.org/noiseloom.json")
    dialog = window.show_settings()
    assert not dialog.notice.isHidden() and dialog.notice.value() == "off" and not window.remember().update_notice
    with qtbot.waitSignal(window.updates.ended, timeout=WAIT_MS):
        dialog.notice.button("weekly").click()
    assert window.messages.title() == "Noiseloom 9.0 is available"
    remembered = window.remember()
    assert remembered.update_notice and remembered.updates_asked_at > 0
    dialog.notice.button("off").click()
    assert not window.remember().update_notice
    dialog.close_button.click()


def test_the_changelog_is_shown(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    dialog = window.show_settings()
    dialog.whats_new.click()
    shown = next(each for each in QApplication.topLevelWidgets() if isinstance(each, WhatsNew))
    assert __version__ in shown.text.toPlainText() and shown.isVisible()
    shown.accept()
    monkeypatch.setattr(paths, "changelog", lambda: Path("/nowhere/CHANGELOG.md"))
    assert "missing" in window.show_whats_new().text.toPlainText()
