"""Mistakes in desktop_app/pages/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "desktop_app/pages/generate.py",
        "warn=requested not in (NO_LABEL, label))",
        "warn=requested != label)",
        "tests/app/window/test_window.py::test_a_verdict_warns_only_where_something_else_was_asked_for",
    ),
    Mutant(
        "desktop_app/pages/generate.py",
        "and self.timeline.step == generate.trajectory.steps:",
        "and self.timeline.step >= 0:",
        "tests/app/window/test_window.py::test_a_verdict_warns_only_where_something_else_was_asked_for",
    ),
    Mutant(
        "desktop_app/pages/generate.py",
        'unnamed = path.suffix == "" or (path.suffix == suggested and chosen != suggested)',
        'unnamed = path.suffix == ""',
        "tests/app/window/test_window.py::test_a_format_that_was_chosen_counts_where_no_other_ending_was_typed",
    ),
    Mutant(
        "desktop_app/pages/generate.py",
        "return free_name(path.with_suffix(chosen)) if unnamed else path",
        "return path.with_suffix(chosen) if unnamed else path",
        "tests/app/window/test_window.py::test_a_format_that_was_chosen_counts_where_no_other_ending_was_typed",
    ),
    Mutant(
        "desktop_app/pages/settings_dialog.py",
        'look.set_reduced_motion(key == "still")',
        'look.set_reduced_motion(key == "play")',
        "tests/app/pages/test_settings_dialog.py::test_the_look_changes_at_once_and_is_remembered",
    ),
    Mutant(
        "desktop_app/pages/settings_dialog.py",
        "self.reset.clicked.connect(lambda: self._take(None))",
        "self.reset.clicked.connect(lambda: self._take(self._folder))",
        "tests/app/pages/test_settings_dialog.py::test_folders_are_chosen_shown_and_reset",
    ),
    Mutant(
        "desktop_app/pages/settings_dialog.py",
        ("        if found:\n            self._take(Path(found))"),
        "        self._take(Path(found))",
        "tests/app/pages/test_settings_dialog.py::test_a_folder_that_nobody_chooses_stays",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "'Finished' if end.completed else 'Stopped, model kept'",
        "'Stopped and kept' if end.completed else 'Finished'",
        "tests/app/pages/test_train.py::test_a_whole_run_says_what_it_reached",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "self.plot.set_run(name, *(np.empty((3, 0)) if before is None else before))",
        "self.plot.set_run(name, *np.empty((3, 0)))",
        "tests/app/window/test_survival.py::test_a_run_that_goes_back_says_so_and_its_curve_goes_back_too",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        ('        if not train.active:\n            self.stats["left"].set_value(NOTHING)'),
        ('        if train.active:\n            self.stats["left"].set_value(NOTHING)'),
        "tests/app/pages/test_train.py::test_a_whole_run_says_what_it_reached",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "self.previews.slider.valueChanged.connect(self.preview_history.slider.setValue)",
        "self.previews.slider.valueChanged.connect(lambda _index: None)",
        "tests/app/pages/test_train.py::test_the_preview_history_goes_back_through_a_run_and_opens_those_of_before",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "self.preview_history.set_digit(index)",
        "self.preview_history.set_digit(0)",
        "tests/app/pages/test_train.py::test_the_preview_history_goes_back_through_a_run_and_opens_those_of_before",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "self.plot.append(name, event.step, event.loss, event.smooth_loss)",
        "self.plot.append(name, event.step, event.smooth_loss, event.loss)",
        "tests/app/pages/test_train.py",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        'self.stats["lr"].set_value(f"{event.lr:.2g}"',
        'self.stats["lr"].set_value(f"{event.loss:.2g}"',
        "tests/app/pages/test_train.py",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "seen = two_digits(60 * config.minutes * estimate.images_per_s)",
        "seen = two_digits(config.minutes * estimate.images_per_s)",
        "tests/app/pages/test_train.py::test_the_speed_of_this_device_is_measured",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "self.source.setVisible(bool(size))",
        "self.source.setVisible(not size)",
        "tests/app/pages/test_train.py::test_where_mnist_is_can_be_chosen_and_taken_back",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        ("        if source == DOWNLOAD:\n            self._context.use_data_root(None)"),
        ("        if source == DOWNLOAD:\n            self._show_data()"),
        "tests/app/pages/test_train.py::test_where_mnist_is_can_be_chosen_and_taken_back",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "widget.setEnabled(not train.active)",
        "widget.setEnabled(True)",
        "tests/app/pages/test_train.py::test_save_now_writes_what_was_learnt_so_far",
    ),
    Mutant(
        "desktop_app/pages/data_view.py",
        "if 0 < 2 * small.count <=",
        "if 0 < small.count > 2 *",
        "tests/app/pages/test_data_view.py",
    ),
    Mutant(
        "desktop_app/pages/data_view.py",
        '"info" if some.reason in HARMLESS else "warning"',
        '"warning"',
        "tests/app/pages/test_data_view.py",
    ),
    Mutant(
        "desktop_app/pages/data_view.py",
        "label if self._data.shown_class == ALL else ALL",
        "label",
        "tests/app/pages/test_data_view.py",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        '        if not self._train.active:\n            self._view("data")',
        '        if False:\n            self._view("data")',
        "tests/app/pages/test_data_view.py",
    ),
    Mutant(
        "desktop_app/pages/image_choices.py",
        'bool(survey.transparent) or choice.fit == "whole"',
        "bool(survey.transparent)",
        "tests/app/pages/test_data_view.py",
    ),
]
