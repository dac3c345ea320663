"""Mistakes in desktop_app/window/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "desktop_app/window/main_window.py",
        "if name in (run.name, str(run.folder)):",
        "if name == run.name:",
        "tests/app/window/test_survival.py::test_on_a_full_disk_the_window_asks_where_a_run_shall_go_on",
    ),
    Mutant(
        "desktop_app/window/persistence.py",
        "self.apply(AppSettings())",
        "self.apply(self._settings)",
        "tests/app/pages/test_settings_dialog.py::test_a_reset_of_all_settings_can_be_undone",
    ),
    Mutant(
        "desktop_app/window/persistence.py",
        "self.apply(self._before_reset)",
        "self.apply(self._settings)",
        "tests/app/pages/test_settings_dialog.py::test_a_reset_of_all_settings_can_be_undone",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        ("            if activity.busy:\n                activity.stop()\n                return"),
        ("            if activity.busy:\n                activity.stop()"),
        "tests/app/window/test_window.py::test_stop_ends_a_drawing_first_and_then_the_training",
    ),
    Mutant(
        "desktop_app/window/page_stack.py",
        "        for page in self._pages.values():\n            page.export_folder = folder",
        "        self._first.export_folder = folder",
        "tests/app/pages/test_settings_dialog.py::test_folders_are_chosen_shown_and_reset",
    ),
    Mutant(
        "desktop_app/window/page_stack.py",
        "self._add(key, self.export_folder, self.export_scale)",
        "self._add(key, self.export_folder, 4)",
        "tests/app/pages/test_exports.py::test_every_page_exports_at_the_scale_of_the_settings tests/app/window/test_window.py::test_a_page_that_is_made_late_exports_as_the_others_do",
    ),
    Mutant(
        "desktop_app/window/persistence.py",
        "reduced_motion=theme().reduced_motion,",
        "reduced_motion=self._settings.reduced_motion,",
        "tests/app/window/test_window.py::test_motion_can_be_switched_off_and_on",
    ),
    Mutant(
        "desktop_app/window/persistence.py",
        "            theme=theme().mode,\n",
        "",
        "tests/app/window/test_window.py::test_settings_come_back",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "timeline.go(1 if event.key() == Qt.Key.Key_Right else -1)",
        "timeline.go(-1 if event.key() == Qt.Key.Key_Right else 1)",
        "tests/app/window/test_window.py::test_scrubbing_shows_every_computed_step_noisy_and_clean",
    ),
]
