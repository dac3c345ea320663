"""Mistakes in ml/tracking/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/tracking/loggers.py",
        "            self._next = time.monotonic() + EVERY_S\n",
        "",
        "tests/ml/tracking/test_loggers.py::test_points_come_no_more_often_than_every_second_and_pictures_always",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "            self._folder = event.run_dir\n",
        "",
        "tests/ml/tracking/test_loggers.py::test_a_run_that_goes_on_elsewhere_is_followed_there",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        ("            if not self._trackers:\n                self._open(event.step)"),
        "            self._open(event.step)",
        "tests/ml/tracking/test_loggers.py::test_a_run_that_goes_on_elsewhere_is_followed_there",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        (
            "            self._close()  # the points after its checkpoint are forgotten by beginning anew\n"
            "            self._open(event.step)\n"
        ),
        "            pass\n",
        "tests/ml/tracking/test_loggers.py::test_after_a_return_points_begin_anew_at_its_checkpoint",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "        if step:  # points after",
        "        if False:  # points after",
        "tests/ml/tracking/test_loggers.py::test_after_a_return_points_begin_anew_at_its_checkpoint",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        '{"held_out_loss": event.loss}',
        '{"loss": event.loss}',
        "tests/ml/tracking/test_loggers.py::test_points_come_no_more_often_than_every_second_and_pictures_always",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        ("        except OSError:\n            self._close()\n\n\ndef _tell_one"),
        ("        except OSError:\n            pass\n\n\ndef _tell_one"),
        "tests/ml/tracking/test_loggers.py::test_trackers_that_cannot_write_hold_nothing_up_and_are_taken_up_again",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "keep = 1 - 1 / min(step, SMOOTHING_STEPS)",
        "keep = 1 - 1 / SMOOTHING_STEPS",
        "tests/ml/tracking/test_metrics_table.py::test_the_curve_is_smoothed_over_all_steps_at_first_and_a_hundred_later",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "keep = 1 - 1 / min(step, SMOOTHING_STEPS)",
        "keep = 1 - 1 / step",
        "tests/ml/tracking/test_metrics_table.py::test_the_curve_is_smoothed_over_all_steps_at_first_and_a_hundred_later",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "EXPLODED = 10.0",
        "EXPLODED = 20.0",
        "tests/ml/tracking/test_metrics_table.py::test_ten_times_the_loss_of_knowing_nothing_is_an_explosion",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "            self.scale = max(loss, 1.0)",
        "            self.scale = loss",
        "tests/ml/tracking/test_metrics_table.py::test_ten_times_the_loss_of_knowing_nothing_is_an_explosion",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "            self.since_row.clear()\n",
        "",
        "tests/ml/tracking/test_metrics_table.py::test_rows_become_fewer_and_are_means_of_what_they_stand_for",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "        if not math.isfinite(loss):",
        "        if math.isnan(loss):",
        "tests/ml/tracking/test_metrics_table.py::test_a_loss_that_is_no_number_ends_the_curve",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "[self.columns, *self._waiting] if fresh else self._waiting",
        "[self.columns, *self._waiting]",
        "tests/ml/tracking/test_metrics_table.py::test_the_names_stand_in_it_once_and_rows_come_when_they_are_written",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ('            raise refusal(f"write {self.path}", error) from error\n        self._waiting.clear()'),
        (
            '            raise refusal(f"write {self.path}", error) from error\n'
            "        finally:\n"
            "            self._waiting.clear()"
        ),
        "tests/ml/tracking/test_metrics_table.py::test_rows_that_could_not_be_written_leave_nothing_and_wait",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "        file.truncate(size)\n",
        "",
        "tests/ml/tracking/test_metrics_table.py::test_rows_that_could_not_be_written_leave_nothing_and_wait",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ('            raise refusal(f"write {self.path}", error) from error\n        self._waiting.clear()'),
        '            raise refusal(f"write {self.path}", error) from error',
        "tests/ml/tracking/test_metrics_table.py::test_the_names_stand_in_it_once_and_rows_come_when_they_are_written",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ("        self._waiting.clear()\n        if os.path.isfile"),
        "        if os.path.isfile",
        "tests/ml/tracking/test_metrics_table.py::test_what_is_forgotten_is_gone_from_what_waits_too_and_the_rest_stays_as_it_was",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "if self._step_of(line) <= step]",
        "if self._step_of(line) < step]",
        "tests/ml/tracking/test_metrics_table.py::test_what_is_forgotten_is_gone_from_what_waits_too_and_the_rest_stays_as_it_was",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        '            line.endswith("\\n") and len(rest)',
        "            len(rest)",
        "tests/ml/tracking/test_metrics_table.py::test_a_row_that_lacks_its_end_or_a_column_is_forgotten",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "and len(rest) == len(self.columns) - 1 and",
        "and",
        "tests/ml/tracking/test_metrics_table.py::test_a_row_that_lacks_its_end_or_a_column_is_forgotten",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ('                if not line.endswith("\\n"):\n                    break'),
        ("                if False:\n                    break"),
        "tests/ml/tracking/test_metrics_table.py::test_a_row_that_is_half_written_does_not_count_yet",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ".read()[[0, 2, 3]]",
        ".read()[[0, 3, 2]]",
        "tests/ml/tracking/test_metrics_table.py::test_a_plot_has_steps_losses_and_smoothed_ones",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ('        if rows and line.endswith("\\n") and rows[-1] is not line:\n            rows.append(line)\n'),
        "",
        "tests/ml/tracking/test_metrics_table.py::test_of_a_long_table_even_parts_and_its_end_are_read",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "        for file in kept[1:-1:2]:",
        "        for file in kept[0:-1:2]:",
        "tests/ml/tracking/test_preview_history.py::test_a_long_run_keeps_fewer_but_its_first_and_latest",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "    if len(kept) > MOST:",
        "    if len(kept) > 2 * MOST:",
        "tests/ml/tracking/test_preview_history.py::test_a_long_run_keeps_fewer_but_its_first_and_latest",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "width * height > MAX_PIXELS or ",
        "",
        "tests/ml/tracking/test_preview_history.py::test_pictures_of_another_size_are_not_those_of_a_run",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        " or height % side:",
        ":",
        "tests/ml/tracking/test_preview_history.py::test_pictures_of_another_size_are_not_those_of_a_run",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "        if int(file.stem) > step:",
        "        if int(file.stem) >= step:",
        "tests/ml/tracking/test_run_folder.py::test_what_came_after_a_checkpoint_is_forgotten_everywhere_and_so_is_what_is_half_written",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "    rows = preview.film.swapaxes(1, 2).reshape",
        "    rows = preview.film.reshape",
        "tests/ml/tracking/test_preview_history.py::test_a_row_of_the_picture_is_a_step_and_a_column_an_image",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        ("        for path in model_cards.snapshots(str(self.path)):\n            if int(path.stem) > step:"),
        ("        for path in model_cards.snapshots(str(self.path)):\n            if int(path.stem) < step:"),
        "tests/ml/tracking/test_run_folder.py::test_what_came_after_a_checkpoint_is_forgotten_everywhere_and_so_is_what_is_half_written",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        (
            "        for folder in (self.path, self.path / SNAPSHOTS, self.path / preview_history.FOLDER):\n"
            "            sweep(folder)\n"
        ),
        "",
        "tests/ml/tracking/test_run_folder.py::test_what_came_after_a_checkpoint_is_forgotten_everywhere_and_so_is_what_is_half_written",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "            for name in (SNAPSHOTS, preview_history.FOLDER):",
        "            for name in (SNAPSHOTS,):",
        "tests/ml/tracking/test_run_folder.py::test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "            table.path = path / table.path.name\n",
        "            pass\n",
        "tests/ml/tracking/test_run_folder.py::test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "        if not same and os.path.exists(path / STATE_FILE):",
        "        if False:",
        "tests/ml/tracking/test_run_folder.py::test_a_run_does_not_move_to_where_another_one_is",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "        self._tables = self.losses, self.noise, self.validation",
        "        self._tables = self.losses, self.noise",
        "tests/ml/tracking/test_run_folder.py::test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "        if name not in found and state.progress < 1 and not is_held(path.parent):",
        "        if name not in found and not is_held(path.parent):",
        "tests/ml/tracking/test_run_folder.py::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "        if name not in found and state.progress < 1 and not is_held(path.parent):",
        "        if name not in found and state.progress < 1:",
        "tests/ml/tracking/test_run_folder.py::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "        if name not in found and state.progress < 1",
        "        if state.progress < 1",
        "tests/ml/tracking/test_run_folder.py::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "    for path in sorted(states, key=modified, reverse=True):",
        "    for path in sorted(states, key=modified):",
        "tests/ml/tracking/test_run_folder.py::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "reverse=True)[:most]]",
        "reverse=True)]",
        "tests/ml/tracking/test_run_folder.py::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
]
