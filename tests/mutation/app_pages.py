"""Mistakes in the window, its pages and widgets, and in what they write."""

from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = [
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "if self.loop_button.isChecked() and not theme().reduced_motion:",
        "if self.loop_button.isChecked():",
        "tests/app/widgets/test_widgets.py::test_with_reduced_motion_a_film_that_is_asked_for_does_not_begin_again",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "if self.loop_button.isChecked() and not theme().reduced_motion:",
        "if not theme().reduced_motion:",
        "tests/app/widgets/test_widgets.py::test_playing_waits_for_the_computation_and_ends_with_it",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "self._timer.setInterval(HOLD_MS if self.loop_button.isChecked() else 0)",
        "self._timer.setInterval(0)",
        "tests/app/widgets/test_widgets.py::test_a_loop_begins_again_after_its_end_was_seen",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "    def _tick(self) -> None:\n        self._set_pace()\n",
        "    def _tick(self) -> None:\n",
        "tests/app/widgets/test_widgets.py::test_a_loop_begins_again_after_its_end_was_seen",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "min(STEP_MS, LONGEST_MS / max(1, self._steps)) / self.speed",
        "STEP_MS / self.speed",
        "tests/app/widgets/test_widgets.py::test_a_long_film_is_shortened_by_skipping",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "/ self.speed.currentData()",
        "* self.speed.currentData()",
        "tests/app/widgets/test_widgets.py::test_a_short_film_shows_every_step_at_its_speed",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "self.set_step(self.step + max(1, round(self._timer.interval() / self._step_ms())))",
        "self.set_step(self.step + 1)",
        "tests/app/widgets/test_widgets.py::test_a_long_film_is_shortened_by_skipping",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "self.slider.setValue(max(0, min(step, self._reached)))",
        "self.slider.setValue(max(0, step))",
        (
            "tests/app/widgets/test_widgets.py::test_only_computed_steps_can_be_reached "
            "tests/app/widgets/test_widgets.py::test_playing_waits_for_the_computation_and_ends_with_it"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "        if theme().reduced_motion:\n            self.set_step(self._reached)",
        "        if not theme().reduced_motion:\n            self.set_step(self._reached)",
        "tests/app/widgets/test_widgets.py::test_reduced_motion_shows_the_end_at_once",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        '"""So many steps on, or back, by hand."""\n        self.pause()\n',
        '"""So many steps on, or back, by hand."""\n',
        "tests/app/widgets/test_widgets.py::test_a_film_that_is_at_its_end_or_was_cut_off_plays_what_there_is",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "self._steps, self._last, self._reached = steps, steps, -1",
        "self._steps, self._last = steps, steps",
        "tests/app/widgets/test_widgets.py::test_a_new_film_starts_at_noise",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "if from_start or self.step >= self._last:",
        "if from_start:",
        "tests/app/widgets/test_widgets.py",
    ),
    Mutant(
        "desktop_app/widgets/images/timeline.py",
        "self._last = max(0, self._reached)",
        "self._last = self._steps",
        "tests/app/widgets/test_widgets.py",
    ),
    Mutant(
        "desktop_app/widgets/images/preview_timeline.py",
        "follow = self.slider.value() >= len(self._previews) - 1",
        "follow = True",
        (
            "tests/app/widgets/test_widgets.py::test_the_time_machine_shows_one_digit_of_one_preview_and_follows_until_someone_looks_back"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/preview_timeline.py",
        "self.strip.set_images(preview.film[:, digit], len(preview.film))",
        "self.strip.set_images(preview.film[digit], len(preview.film))",
        (
            "tests/app/widgets/test_widgets.py::test_the_time_machine_shows_one_digit_of_one_preview_and_follows_until_someone_looks_back"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/preview_timeline.py",
        "digit = min(self._digit, len(preview.labels) - 1)",
        "digit = self._digit",
        (
            "tests/app/widgets/test_widgets.py::test_the_time_machine_shows_one_digit_of_one_preview_and_follows_until_someone_looks_back"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/preview_timeline.py",
        "self.slider.setEnabled(len(self._previews) > 1)",
        "self.slider.setEnabled(len(self._previews) > 0)",
        (
            "tests/app/widgets/test_widgets.py::test_the_time_machine_shows_one_digit_of_one_preview_and_follows_until_someone_looks_back"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/preview_timeline.py",
        'what = f"image {digit + 1}" if label == NO_LABEL',
        'what = f"image {digit + 1}" if label != NO_LABEL',
        (
            "tests/app/widgets/test_widgets.py::test_the_time_machine_shows_one_digit_of_one_preview_and_follows_until_someone_looks_back"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/preview_strip.py",
        "follow = self.slider.value() >= len(self._previews) - 1",
        "follow = self.slider.value() > len(self._previews) - 1",
        (
            "tests/app/widgets/test_widgets.py::test_previews_are_followed_until_someone_looks_back "
            "tests/app/widgets/test_widgets.py::test_a_preview_that_is_looked_back_to_stays_and_says_its_step"
        ),
    ),
    Mutant(
        "desktop_app/widgets/images/preview_strip.py",
        "        if follow:\n            self._show(self.slider.value())",
        "        self._show(self.slider.value())",
        "tests/app/widgets/test_widgets.py::test_a_preview_that_is_looked_back_to_stays_and_says_its_step",
        "the preview that is shown is shown again, which only costs a moment",
    ),
    Mutant(
        "desktop_app/widgets/images/preview_strip.py",
        "super().resizeEvent(event)\n        self._fit()",
        "super().resizeEvent(event)",
        "tests/app/widgets/test_widgets.py::test_a_preview_that_is_looked_back_to_stays_and_says_its_step",
    ),
    Mutant(
        "desktop_app/widgets/images/preview_strip.py",
        "columns = min(self._columns, len(images))\n        cell",
        "columns = len(images)\n        cell",
        "tests/app/widgets/test_widgets.py::test_a_preview_that_is_looked_back_to_stays_and_says_its_step",
    ),
    Mutant(
        "desktop_app/widgets/images/decision_meter.py",
        "return int(other[-1]) + 1 if len(other) else 0",
        "return int(other[0]) + 1 if len(other) else 0",
        "tests/app/pages/test_generate.py -k decided",
    ),
    Mutant(
        "desktop_app/widgets/images/decision_meter.py",
        "return int(other[-1]) + 1 if len(other) else 0",
        "return int(other[-1]) if len(other) else 0",
        "tests/app/widgets/test_widgets.py::test_the_meter_says_when_a_digit_is_decided_and_goes_where_it_is_clicked",
    ),
    Mutant(
        "desktop_app/widgets/images/decision_meter.py",
        "max(axis=0) >= RIVAL",
        "max(axis=0) >= 0.1",
        "tests/app/widgets/test_widgets.py::test_the_meter_says_when_a_digit_is_decided_and_goes_where_it_is_clicked",
    ),
    Mutant(
        "desktop_app/widgets/images/decision_meter.py",
        "round(min(max(share, 0.0), 1.0) * last)",
        "round(max(share, 0.0) * last)",
        "tests/app/widgets/test_widgets.py::test_the_meter_says_when_a_digit_is_decided_and_goes_where_it_is_clicked",
    ),
    Mutant(
        "desktop_app/widgets/images/decision_meter.py",
        "share = (event.position().x() - PAD) / max(self.width() - PAD - SCALE, 1)",
        "share = event.position().x() / max(self.width(), 1)",
        "tests/app/widgets/test_widgets.py::test_the_meter_says_when_a_digit_is_decided_and_goes_where_it_is_clicked",
    ),
    Mutant(
        "desktop_app/widgets/window/navigation.py",
        "0 if progress is None and not theme().reduced_motion else SLOTS",
        "0 if progress is None else SLOTS",
        "tests/app/widgets/test_widgets.py::test_progress_that_is_not_known_moves_but_not_with_reduced_motion",
    ),
    Mutant(
        "desktop_app/widgets/window/navigation.py",
        "self._stop.setVisible(stoppable)",
        "self._stop.setVisible(True)",
        "tests/app/widgets/test_widgets.py::test_progress_that_is_not_known_moves_but_not_with_reduced_motion",
    ),
    Mutant(
        "desktop_app/widgets/window/navigation.py",
        'left = "" if text.endswith(" left") else self._left.words(text, progress)',
        "left = self._left.words(text, progress)",
        "tests/app/widgets/test_widgets.py::test_a_job_says_how_long_it_takes_unless_it_does_so_itself",
    ),
    Mutant(
        "desktop_app/widgets/window/navigation.py",
        "self._why.setVisible(help_wanted)",
        "self._why.setVisible(not ready)",
        "tests/app/widgets/test_widgets.py::test_a_device_that_is_no_graphics_card_offers_help",
    ),
    Mutant(
        "desktop_app/widgets/window/navigation.py",
        "self.pageChanged.emit(key) if on else None",
        "self.pageChanged.emit(key)",
        "tests/app/widgets/test_widgets.py::test_pages_change_by_click_and_arrow",
    ),
    Mutant(
        "desktop_app/widgets/window/remaining_time.py",
        "gone * (1 - share) / done",
        "gone / done",
        "tests/app/window/test_window.py::test_what_tells_how_far_it_is_is_told_how_long_it_takes",
    ),
    Mutant(
        "desktop_app/widgets/window/remaining_time.py",
        "if what != self._what or share < self._share:",
        "if what != self._what:",
        "tests/app/window/test_window.py::test_what_tells_how_far_it_is_is_told_how_long_it_takes",
    ),
    Mutant(
        "desktop_app/widgets/window/remaining_time.py",
        "done = now - self._began, share - self._from",
        "done = now - self._began, share",
        (
            "tests/app/widgets/test_widgets.py::test_a_job_says_how_long_it_takes_unless_it_does_so_itself "
            "tests/app/window/test_window.py::test_what_tells_how_far_it_is_is_told_how_long_it_takes"
        ),
    ),
    Mutant(
        "desktop_app/widgets/window/remaining_time.py",
        "if gone < FIRST_S or done < FIRST_SHARE:",
        "if gone < FIRST_S and done < FIRST_SHARE:",
        "tests/app/window/test_window.py::test_what_tells_how_far_it_is_is_told_how_long_it_takes",
    ),
    Mutant(
        "desktop_app/widgets/plots/loss_by_noise_map.py",
        "np.ascontiguousarray(pixels[::-1])",
        "np.ascontiguousarray(pixels)",
        "tests/app/widgets/test_widgets.py::test_the_noise_map_has_pure_noise_on_top_and_names_its_ends",
    ),
    Mutant(
        "desktop_app/widgets/plots/loss_by_noise_map.py",
        "out[gap, column] = out[gap, column - 1]",
        "out[gap, column] = 0",
        "tests/app/widgets/test_widgets.py::test_the_noise_map_has_pure_noise_on_top_and_names_its_ends",
    ),
    Mutant(
        "desktop_app/widgets/plots/loss_by_noise_map.py",
        '("image", "noise"), legend)',
        '("noise", "image"), legend)',
        "tests/app/widgets/test_widgets.py",
    ),
    Mutant(
        "desktop_app/widgets/plots/loss_by_noise_map.py",
        "np.isfinite(losses) & (losses > 0)",
        "np.isfinite(losses) & (losses >= 0.2)",
        "tests/app/widgets/test_widgets.py::test_the_noise_map_has_pure_noise_on_top_and_names_its_ends",
    ),
    Mutant(
        "desktop_app/widgets/plots/loss_by_noise_map.py",
        "level = min(levels - 1, max(0, int((1 - event.position().y()",
        "level = min(levels - 1, max(0, int((event.position().y()",
        "tests/app/pages/test_train.py::test_losses_by_noise_and_on_unseen_images_are_shown",
    ),
    Mutant(
        "desktop_app/widgets/plots/loss_by_noise_map.py",
        "np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)",
        "sums / np.maximum(counts, 1)",
        "tests/app/pages/test_train.py::test_a_long_map_keeps_its_means",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        "self.route.setVisible(len(possible) > 1)",
        "self.route.setVisible(True)",
        "tests/app/widgets/test_widgets.py::test_a_prompt_can_be_read_in_the_ways_that_are_possible",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        'chip.setVisible(route == "class")',
        'chip.setVisible(route != "clip")',
        "tests/app/widgets/test_widgets.py::test_a_prompt_can_be_read_in_the_ways_that_are_possible",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        'self._action = "Draw anyway" if anyway else "Generate"',
        'self._action = "Generate"',
        "tests/app/widgets/test_widgets.py::test_a_prompt_can_be_read_in_the_ways_that_are_possible",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        "min(int(self.edit.text() or self._seed), MAX_SEED)",
        "int(self.edit.text() or self._seed)",
        "tests/app/widgets/test_widgets.py::test_a_seed_may_use_all_its_bits",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        "    def _submit(self) -> None:\n        if self._able:",
        "    def _submit(self) -> None:\n        if True:",
        "tests/app/widgets/test_widgets.py::test_the_button_generates_then_stops",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        "self.button.setEnabled(busy or self._able)",
        "self.button.setEnabled(self._able)",
        "tests/app/widgets/test_widgets.py::test_the_button_generates_then_stops",
    ),
    Mutant(
        "desktop_app/widgets/controls/prompt_bar.py",
        'self.edit.setText(f"{present}, {prompt}" if adding and present else prompt)',
        'self.edit.setText(f"{prompt}, {present}" if adding and present else prompt)',
        "tests/app/widgets/test_widgets.py::test_chips_write_the_prompt_and_shift_adds",
    ),
    Mutant(
        "desktop_app/widgets/controls/rows.py",
        "        if self.hasFocus():\n            super().wheelEvent(event)",
        "        if True:\n            super().wheelEvent(event)",
        "tests/app/widgets/test_widgets.py::test_the_wheel_changes_a_number_only_where_the_focus_is",
    ),
    Mutant(
        "desktop_app/widgets/controls/rows.py",
        "self._low * exp(share * log(ratio))",
        "self._low + share * (self._high - self._low)",
        "tests/app/widgets/test_widgets.py::test_a_logarithmic_row_moves_by_ratio",
    ),
    Mutant(
        "desktop_app/widgets/controls/rows.py",
        "wanted = value or self.value()",
        "wanted = value",
        "tests/app/widgets/test_widgets.py::test_choices_keep_what_was_chosen",
    ),
    Mutant(
        "desktop_app/widgets/controls/rows.py",
        "self._low, self._high, self._step, self._log = minimum, slider_max or maximum, step",
        "self._low, self._high, self._step, self._log = minimum, maximum, step",
        "tests/app/widgets/test_widgets.py::test_a_slider_row_keeps_slider_and_number_together",
    ),
    Mutant(
        "desktop_app/widgets/controls/rows.py",
        "        blocked = [QSignalBlocker(button) for button in self._buttons.values()]",
        "        blocked: list[QSignalBlocker] = []",
        "tests/app/widgets/test_widgets.py::test_setting_a_segment_is_silent",
    ),
    Mutant(
        "desktop_app/widgets/window/message_bar.py",
        "        for old in self.action_buttons():\n            self._actions.removeWidget(old)",
        "        for old in ():\n            self._actions.removeWidget(old)",
        "tests/app/widgets/test_widgets.py::test_a_message_offers_remedies_and_its_report",
    ),
    Mutant(
        "desktop_app/widgets/window/message_bar.py",
        "        self._details_button.setChecked(False)\n        self._show_details(False)",
        "        self._details_button.setVisible(bool(details))",
        "tests/app/widgets/test_widgets.py::test_a_message_offers_remedies_and_its_report",
    ),
    Mutant(
        "desktop_app/widgets/window/message_bar.py",
        "        if not self.isHidden():\n            self.hide()\n            self.dismissed.emit()",
        "        self.hide()",
        "tests/app/widgets/test_widgets.py::test_a_message_offers_remedies_and_its_report",
    ),
    Mutant(
        "desktop_app/widgets/images/image_grid.py",
        "return index if inside and index < len(self._images) else -1",
        "return index if inside else -1",
        "tests/app/widgets/test_widgets.py::test_keys_walk_the_grid",
    ),
    Mutant(
        "desktop_app/widgets/images/image_grid.py",
        "[0, -2 % planes.shape[1], -1]",
        "[-1, -2 % planes.shape[1], 0]",
        "tests/app/widgets/test_widgets.py::test_colour_images_keep_their_channels",
    ),
    Mutant(
        "desktop_app/widgets/images/image_grid.py",
        "self._move_to(target if 0 <= target <= last else here)",
        "self._move_to(min(max(target, 0), last))",
        "tests/app/widgets/test_widgets.py::test_keys_walk_the_grid",
    ),
    Mutant(
        "desktop_app/widgets/images/image_grid.py",
        "return (weights / weights.sum(1, keepdims=True)).astype(np.float32)",
        "return weights.astype(np.float32)",
        "tests/app/widgets/test_widgets.py::test_between_whole_scales_brightness_is_kept",
    ),
    Mutant(
        "desktop_app/widgets/images/image_grid.py",
        "self._selected = self._selected if self._selected < len(new) else -1",
        "self._selected = self._selected",
        "tests/app/widgets/test_widgets.py::test_fewer_images_leave_nothing_selected_that_is_not_there",
    ),
    Mutant(
        "desktop_app/widgets/images/image_grid.py",
        "if caption.warn == warn and caption.text:",
        "if caption.text:",
        "tests/app/widgets/test_widgets.py::test_a_verdict_that_disagrees_looks_different",
        "quiet words lie under the loud ones, which are painted last",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "self.area.bottom() - up * self.area.height()",
        "self.area.top() + up * self.area.height()",
        "tests/app/widgets/test_plot_export.py::test_small_numbers_lie_at_the_left_and_at_the_bottom",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "up = (self._scaled(y) - self.y[0])",
        "up = (y - self.y[0])",
        "tests/app/widgets/test_plot_export.py::test_small_numbers_lie_at_the_left_and_at_the_bottom",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "for times in (1, 2, 5, 10) if power * times >= rough",
        "for times in (1, 2, 5, 10) if power * times > rough * 2",
        "tests/app/widgets/test_plot_export.py::test_axes_have_some_five_round_numbers",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "(1, 2, 5) if high - low < 2.5 else (1,)",
        "(1,)",
        (
            "tests/app/widgets/test_plot_export.py::test_logarithmic_axes_have_powers_of_ten_and_more_where_they_are_short"
        ),
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "return found if len(found) > 1 else",
        "return found if found else",
        (
            "tests/app/widgets/test_plot_export.py::test_logarithmic_axes_have_powers_of_ten_and_more_where_they_are_short"
        ),
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "(low - 0.5, high + 0.5)",
        "(low, high)",
        "tests/app/widgets/test_plot_export.py::test_what_is_nowhere_or_in_one_place_has_a_range_too",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "gaps = np.flatnonzero(~known)",
        "gaps = np.flatnonzero(known)[:0]",
        "tests/app/widgets/test_plot_export.py::test_a_curve_is_broken_where_nothing_is_known",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "x, y = line.left(), y + ROW",
        "x = line.left()",
        "tests/app/widgets/test_plot_export.py::test_many_runs_have_a_legend_of_several_rows",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        '                told = ""\n',
        "",
        "tests/app/widgets/test_plot_export.py::test_a_plot_tells_how_it_came_about",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        'writer.addFileAttachment("noiseloom.json", told.encode(), "application/json")',
        "pass",
        "tests/app/widgets/test_plot_export.py::test_a_plot_tells_how_it_came_about",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        'image.setText("noiseloom", told)',
        'image.setText("told", told)',
        "tests/app/widgets/test_plot_export.py::test_a_plot_tells_how_it_came_about",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "ends = np.stack([buckets.argmin(1), buckets.argmax(1)], 1)",
        "ends = np.stack([buckets.argmin(1), buckets.argmin(1)], 1)",
        "tests/app/widgets/test_widgets.py::test_a_reduced_curve_keeps_its_spikes",
    ),
    Mutant(
        "desktop_app/widgets/plots/export.py",
        "keep = np.append(keep, np.arange(whole, len(y)))",
        "keep = keep.copy()",
        "tests/app/widgets/test_widgets.py::test_a_reduced_curve_keeps_its_spikes",
    ),
    Mutant(
        "desktop_app/theme/controller.py",
        "        if reduced != self._reduced_motion:",
        "        if True:",
        "tests/app/window/test_theme.py",
    ),
    Mutant(
        "desktop_app/theme/controller.py",
        "return DARK if self.dark else LIGHT",
        "return LIGHT if self.dark else DARK",
        "tests/app/window/test_theme.py",
    ),
    Mutant(
        "desktop_app/theme/controller.py",
        "            self._app.setPalette(palette(self.colors))\n",
        "",
        "tests/app/window/test_theme.py",
    ),
    Mutant(
        "desktop_app/widgets/window/help_card.py",
        'return FORMULAS.get(f"{setting}: {value}") or FORMULAS.get(setting)',
        "return FORMULAS.get(setting)",
        "tests/app/window/test_help.py::test_each_button_of_several_has_its_own_formula",
    ),
    Mutant(
        "desktop_app/widgets/window/help_card.py",
        "control, value = parent, parent.key_of(control)",
        "control, value = parent, parent.value()",
        "tests/app/window/test_help.py::test_each_button_of_several_has_its_own_formula",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        'how = "Finished" if end.completed else "Stopped and kept"',
        'how = "Stopped and kept" if end.completed else "Finished"',
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
        '        if not train.active:\n            self.stats["left"].set_value(NOTHING)',
        '        if train.active:\n            self.stats["left"].set_value(NOTHING)',
        "tests/app/pages/test_train.py::test_a_whole_run_says_what_it_reached",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "self.previews.slider.valueChanged.connect(self.time_machine.slider.setValue)",
        "self.previews.slider.valueChanged.connect(lambda _index: None)",
        "tests/app/pages/test_train.py::test_the_time_machine_goes_back_through_a_run_and_opens_those_of_before",
    ),
    Mutant(
        "desktop_app/pages/train.py",
        "self.time_machine.set_digit(index)",
        "self.time_machine.set_digit(0)",
        "tests/app/pages/test_train.py::test_the_time_machine_goes_back_through_a_run_and_opens_those_of_before",
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
        "desktop_app/viewmodels/train.py",
        "            self._look_back(replace(self.run, step=event.step))\n            self.begun.emit(self.name)\n",
        "            self._look_back(replace(self.run, step=event.step))\n",
        "tests/app/window/test_survival.py::test_a_run_that_goes_back_says_so_and_its_curve_goes_back_too",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "seen = round(60 * config.minutes * estimate.images_per_s, -3)",
        "seen = round(config.minutes * estimate.images_per_s, -3)",
        "tests/app/pages/test_train.py::test_the_speed_of_this_device_is_measured",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "self.source.setVisible(name in DOWNLOADS)",
        "self.source.setVisible(name not in DOWNLOADS)",
        "tests/app/pages/test_train.py::test_where_mnist_is_can_be_chosen_and_taken_back",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "        if source == DOWNLOAD:\n            self._train.use_data_root(None)",
        "        if source == DOWNLOAD:\n            self._show_data()",
        "tests/app/pages/test_train.py::test_where_mnist_is_can_be_chosen_and_taken_back",
    ),
    Mutant(
        "desktop_app/pages/train_setup.py",
        "widget.setEnabled(not train.active)",
        "widget.setEnabled(True)",
        "tests/app/pages/test_train.py::test_save_now_writes_what_was_learnt_so_far",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "if name in (run.name, str(run.folder)):",
        "if name == run.name:",
        "tests/app/window/test_survival.py::test_on_a_full_disk_the_window_asks_where_a_run_shall_go_on",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "self.take_all(AppSettings())",
        "self.take_all(self._settings)",
        "tests/app/pages/test_settings_dialog.py::test_forgetting_everything_can_be_taken_back",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "self.take_all(self._forgotten)",
        "self.take_all(self._settings)",
        "tests/app/pages/test_settings_dialog.py::test_forgetting_everything_can_be_taken_back",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "            if activity.busy:\n                activity.stop()\n                return",
        "            if activity.busy:\n                activity.stop()",
        "tests/app/window/test_window.py::test_stop_ends_a_drawing_first_and_then_the_training",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "        for page in self._made.values():\n            page.export_folder = folder",
        "        self.generate.export_folder = folder",
        "tests/app/pages/test_settings_dialog.py::test_folders_are_chosen_shown_and_reset",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "page.set_export_scale(self.generate.export_scale)",
        "pass",
        (
            "tests/app/pages/test_exports.py::test_every_page_exports_at_the_scale_of_the_settings "
            "tests/app/window/test_window.py::test_a_page_that_is_made_late_exports_as_the_others_do"
        ),
    ),
    Mutant(
        "desktop_app/window/main_window.py",
        "reduced_motion=theme().reduced_motion,",
        "reduced_motion=self._settings.reduced_motion,",
        "tests/app/window/test_window.py::test_motion_can_be_switched_off_and_on",
    ),
    Mutant(
        "desktop_app/window/main_window.py",
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
    Mutant(
        "desktop_app/app.py",
        "if error is None or issubclass(kind, KeyboardInterrupt):",
        "if error is None or not issubclass(kind, KeyboardInterrupt):",
        "tests/app/window/test_window.py::test_an_error_that_nobody_caught_is_shown_with_its_details",
    ),
    Mutant(
        "desktop_app/app.py",
        "theme().set_reduced_motion(settings.reduced_motion)",
        "theme().set_reduced_motion(False)",
        "tests/app/window/test_window.py::test_the_first_grid_draws_itself_and_is_judged",
    ),
    Mutant(
        "desktop_app/app.py",
        "if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):",
        "if kind in (QtMsgType.QtWarningMsg, QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):",
        "tests/app/window/test_window.py::test_what_qt_complains_of_is_shown_only_where_it_is_grave",
    ),
    Mutant(
        "desktop_app/pages/generate.py",
        "warn=asked not in (NO_LABEL, label))",
        "warn=asked != label)",
        "tests/app/window/test_window.py::test_a_verdict_warns_only_where_something_else_was_asked_for",
    ),
    Mutant(
        "desktop_app/pages/generate.py",
        "and self.timeline.step == self._generate.trajectory.steps:",
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
        "        if found:\n            self._take(Path(found))",
        "        self._take(Path(found))",
        "tests/app/pages/test_settings_dialog.py::test_a_folder_that_nobody_chooses_stays",
    ),
    Mutant(
        "desktop_app/diagnostics/headless_demo.py",
        "self._left = {DIGITS, FILM}",
        "self._left = {DIGITS}",
        "tests/app/diagnostics/test_headless_demo.py::test_a_first_visit_leaves_a_grid_a_film_and_a_screenshot",
    ),
    Mutant(
        "desktop_app/diagnostics/startup_report.py",
        "self.seconds.setdefault(what, round(time.monotonic() - self.began, 3))",
        "self.seconds[what] = round(time.monotonic() - self.began, 3)",
        "tests/app/window/test_window.py::test_the_stopwatch_tells_the_first_of_each",
    ),
]
