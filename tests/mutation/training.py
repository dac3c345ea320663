"""Mistakes in training."""

from tests.mutation.mutant import Mutant

TRAINER = "tests/ml/training/test_trainer.py"
RUN = "tests/ml/training/test_run.py"
DIVERGING = "tests/ml/training/test_divergence.py"
CHECKPOINT = "tests/ml/registry/test_checkpoint.py"
OPTIM = "tests/ml/training/test_optimizers.py"
TABLES = "tests/ml/tracking/test_metrics_table.py"
TRACKERS = "tests/ml/tracking/test_loggers.py"
TIME_MACHINE = "tests/ml/tracking/test_preview_history.py"
RUN_FOLDER = "tests/ml/tracking/test_run_folder.py"
SETTINGS = "tests/ml/training/test_overrides.py"
OBJECTIVES = "tests/ml/training/test_objectives.py"
FITTING = "tests/ml/training/test_config_from_data.py"
TWO_AT_ONCE = "tests/ml/training/test_run_lock.py"
VERDICT = "tests/ml/tracking/test_loss_trend.py"
MEMORY = "tests/ml/models/test_memory.py"

MUTANTS: list[Mutant] = [
    # ---- ml/training/trainer.py
    Mutant(
        "ml/training/trainer.py",
        """    yield from _writing(run, control, run.save)
    yield CheckpointSaved(run.step, run.folder)
    while control.paused:
""",
        """    yield CheckpointSaved(run.step, run.folder)
    while control.paused:
""",
        f"{TRAINER}::test_pausing_holds_saves_and_changes_nothing",
    ),
    Mutant(
        "ml/training/trainer.py",
        "    if run.has_news:\n        yield run.report()\n    yield from _writing(run, control, run.save)\n    yield CheckpointSaved",
        "    yield from _writing(run, control, run.save)\n    yield CheckpointSaved",
        "tests/app/window/test_window.py::test_a_run_is_started_paused_resumed_drawn_from_and_kept",
    ),
    Mutant(
        "ml/training/trainer.py",
        """            yield from _writing(run, control, run.save)
            yield CheckpointSaved(run.step, run.folder)
        if run.can_validate""",
        """            yield CheckpointSaved(run.step, run.folder)
        if run.can_validate""",
        f"{TRAINER}::test_commands_are_carried_out_between_two_steps",
    ),
    Mutant(
        "ml/training/trainer.py",
        "    if not control.cancelled:\n        yield Resumed(run.step, run.folder)",
        "    yield Resumed(run.step, run.folder)",
        f"{TRAINER}::test_a_paused_run_can_be_stopped",
    ),
    Mutant(
        "ml/training/trainer.py",
        "recorded.with_changes(steps=asked.steps, epochs=asked.epochs, minutes=asked.minutes)",
        "recorded.with_changes(steps=asked.steps, minutes=asked.minutes)",
        f"{TRAINER}::test_a_run_that_goes_on_has_the_budget_that_is_asked_for_now_and_its_own_settings",
    ),
    Mutant(
        "ml/training/trainer.py",
        "    return recorded.with_changes(steps=asked.steps",
        "    return asked.with_changes(steps=asked.steps",
        f"{TRAINER}::test_a_run_that_goes_on_has_the_budget_that_is_asked_for_now_and_its_own_settings",
    ),
    Mutant(
        "ml/training/datasets.py",
        'data.loading(config.data, root, "test", form_for(config.model))',
        'data.loading(config.data, root, "train", form_for(config.model))',
        f"{DIVERGING}::test_images_that_are_held_out_are_looked_at_in_as_many_parts",
    ),
    Mutant(
        "ml/training/datasets.py",
        """    if config.teacher_from:
        return None  # a student learns from its teacher, and its loss says nothing of images
""",
        "",
        f"{TRAINER}::test_a_student_is_tried_on_no_images",
    ),
    Mutant(
        "ml/training/datasets.py",
        "    if (channels, side) != (config.model.channels, config.model.image_size):\n        return None\n",
        "",
        f"{TRAINER}::test_images_are_held_out_by_chance_and_with_their_labels",
    ),
    Mutant(
        "ml/training/datasets.py",
        "labels=dataset.labels[some])",
        "labels=dataset.labels[:HELD_OUT])",
        f"{TRAINER}::test_images_are_held_out_by_chance_and_with_their_labels",
    ),
    Mutant(
        "ml/training/datasets.py",
        "torch.Generator().manual_seed(HELD_OUT_SEED))[:HELD_OUT]",
        "torch.Generator().manual_seed(config.seed))[:HELD_OUT]",
        f"{TRAINER}::test_images_are_held_out_by_chance_and_with_their_labels",
    ),
    Mutant(
        "ml/training/trainer.py",
        "    if run.draws and not control.cancelled:\n",
        "    if run.draws:\n",
        f"{TRAINER}::test_steps_between_two_reports_are_reported_together_and_none_is_left_out",
    ),
    Mutant(
        "ml/training/trainer.py",
        "run.folder / MODEL_FILE, run.progress >= 1)",
        "run.folder / MODEL_FILE, True)",
        f"{TRAINER}::test_a_paused_run_can_be_stopped",
    ),
    Mutant(
        "ml/training/trainer.py",
        "        yield from _steps_to_the_end(run, control)\n    if run.has_news:\n        yield run.report()\n",
        "        yield from _steps_to_the_end(run, control)\n",
        f"{TRAINER}::test_steps_between_two_reports_are_reported_together_and_none_is_left_out",
    ),
    Mutant(
        "ml/training/trainer.py",
        "            last_report = run.elapsed_s\n",
        "",
        f"{TRAINER}::test_steps_between_two_reports_are_reported_together_and_none_is_left_out",
    ),
    Mutant(
        "ml/training/trainer.py",
        "            last_save = clock()\n",
        "",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/training/trainer.py",
        "clock() - last_save >= run.config.save_every_s",
        "clock() - last_save >= run.config.preview_every_s",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/training/trainer.py",
        "next_preview = run.elapsed_s + max(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))",
        "next_preview = run.elapsed_s + min(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/training/trainer.py",
        "next_preview = run.elapsed_s + max(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))",
        "next_preview = run.elapsed_s + PREVIEW_PATIENCE * (clock() - began)",
        f"{TRAINER}::test_previews_come_no_more_often_than_is_asked_for",
    ),
    Mutant(
        "ml/training/trainer.py",
        "HELD_OUT_PATIENCE * (clock() - began))\n            yield validated",
        "PREVIEW_PATIENCE * (clock() - began))\n            yield validated",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/training/trainer.py",
        "PREVIEW_PATIENCE = 10 ",
        "PREVIEW_PATIENCE = 1 ",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/training/datasets.py",
        "        while not control.cancelled:\n            try:\n                progress = next(loading)",
        "        while True:\n            try:\n                progress = next(loading)",
        f"{TRAINER}::test_cancelled_while_its_data_are_read_a_run_leaves_nothing",
    ),
    Mutant(
        "ml/training/trainer.py",
        "    except (Diverged, CannotWrite, KeyboardInterrupt):",
        "    except (Diverged, CannotWrite):",
        f"{DIVERGING}::test_a_step_that_is_interrupted_is_not_saved",
    ),
    Mutant(
        "ml/training/trainer.py",
        "        if not run.stuck:\n            run.save()\n",
        "",
        f"{DIVERGING}::test_what_fails_in_a_step_is_raised_once_all_before_it_is_saved",
    ),
    Mutant(
        "ml/training/trainer.py",
        "    if run.slowed < MOST_RETURNS:",
        "    if run.slowed <= MOST_RETURNS:",
        f"{DIVERGING}::test_after_three_returns_a_run_stops_and_explains",
    ),
    Mutant(
        "ml/training/trainer.py",
        "            yield from _writing(run, control, lambda: run.place.forget_after(run.step))\n",
        "",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/training/trainer.py",
        "        with suppress(BadFile):  # the checkpoint has gone\n",
        "        with suppress(OSError):\n",
        f"{DIVERGING}::test_without_its_checkpoint_a_run_cannot_go_back",
    ),
    # ---- ml/training/run.py
    Mutant(
        "ml/training/run.py",
        "SLOWER = 0.25 ",
        "SLOWER = 0.5 ",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/training/run.py",
        "            learner.share = SLOWER**times",
        "            learner.share = SLOWER",
        f"{DIVERGING}::test_after_three_returns_a_run_stops_and_explains",
    ),
    Mutant(
        "ml/training/run.py",
        "        slowed, split = self.slowed + 1, self.parts\n",
        "        slowed, split = self.slowed, self.parts\n",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/training/run.py",
        "        self._slow(state.slowed)\n",
        "",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/training/run.py",
        "        self._unreported.clear()\n",
        "",
        f"{DIVERGING}::test_what_came_after_the_checkpoint_is_in_no_report",
    ),
    Mutant(
        "ml/training/run.py",
        "        self.by_noise.take()\n        self.restore()",
        "        self.restore()",
        f"{DIVERGING}::test_what_came_after_the_checkpoint_is_in_no_report",
    ),
    Mutant(
        "ml/training/run.py",
        "        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):",
        "        if False:",
        f"{DIVERGING}::test_a_gradient_that_is_no_number_is_seen_before_anything_is_saved",
    ),
    Mutant(
        "ml/training/run.py",
        "        self.parts = max(self.config.accumulate, state.parts)\n",
        "",
        f"{DIVERGING}::test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does",
    ),
    Mutant(
        "ml/training/run.py",
        "                self._begin_again(*before)\n                if self.device",
        "                if self.device",
        f"{DIVERGING}::test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does",
    ),
    Mutant(
        "ml/training/run.py",
        "            buffer.copy_(before)\n",
        "            pass\n",
        f"{RUN}::test_a_step_that_comes_to_no_end_has_not_been",
    ),
    Mutant(
        "ml/training/run.py",
        "        self.rng.set_state(rng)\n        self._set_dropout_rng(dropout_rng)",
        "        self.rng.set_state(rng)",
        f"{RUN}::test_a_step_that_comes_to_no_end_has_not_been",
    ),
    Mutant(
        "ml/training/run.py",
        "            mean = losses.mean() * (len(part[0]) / len(chosen))",
        "            mean = losses.mean() / count",
        f"{TRAINER}::test_a_batch_in_parts_teaches_the_same",
    ),
    Mutant(
        "ml/training/run.py",
        "        torch.manual_seed(config.seed)  # the initial weights",
        "        torch.manual_seed(0)",
        f"{RUN}::test_weights_order_and_noise_follow_from_the_seed",
    ),
    Mutant(
        "ml/training/run.py",
        "self.rng = torch.Generator(where).manual_seed(config.seed)",
        "self.rng = torch.Generator(where).manual_seed(PREVIEW_SEED)",
        f"{RUN}::test_weights_order_and_noise_follow_from_the_seed",
    ),
    Mutant(
        "ml/training/run.py",
        "(self.config.seed * 1_000_003 + epoch)",
        "(1_000_003 + epoch)",
        f"{RUN}::test_weights_order_and_noise_follow_from_the_seed",
    ),
    Mutant(
        "ml/training/run.py",
        "(self.config.seed * 1_000_003 + epoch)",
        "(self.config.seed * 1_000_003)",
        f"{TRAINER}::test_batches_walk_through_every_epoch_once",
    ),
    Mutant(
        "ml/training/run.py",
        "            losses = [self._held_out.losses(self.ema.network, part, rng)",
        "            losses = [self._held_out.losses(self.network, part, rng)",
        f"{RUN}::test_what_is_looked_at_is_the_average_and_looking_changes_nothing",
    ),
    Mutant(
        "ml/training/run.py",
        "            batch = self._held_out.draw(self.ema.network, chosen, rng)",
        "            batch = self._held_out.draw(self.ema.network, chosen, self.rng)",
        f"{RUN}::test_what_is_looked_at_is_the_average_and_looking_changes_nothing",
    ),
    Mutant(
        "ml/training/run.py",
        'LoadedModel("run", self.header(), self.ema.network,',
        'LoadedModel("run", self.header(), self.network,',
        f"{RUN}::test_what_is_looked_at_is_the_average_and_looking_changes_nothing",
    ),
    Mutant(
        "ml/training/run.py",
        "labels=labels, seed=PREVIEW_SEED)",
        "labels=labels, seed=self.step)",
        f"{TRAINER}::test_previews_all_begin_in_the_same_noise",
    ),
    Mutant(
        "ml/training/run.py",
        "steps=min(self.config.defaults.steps, PREVIEW_STEPS)",
        "steps=PREVIEW_STEPS",
        f"{RUN}::test_a_preview_is_a_glance_at_one_digit_of_each_class",
    ),
    Mutant(
        "ml/training/run.py",
        """        weights = self.ema.network.state_dict()
        if self.config.file_precision""",
        """        weights = self.network.state_dict()
        if self.config.file_precision""",
        f"{RUN}::test_what_is_saved_is_the_average_to_draw_with_and_both_to_go_on_with",
    ),
    Mutant(
        "ml/training/run.py",
        "weights = halved(self.ema.network.state_dict())",
        "weights = halved(self.network.state_dict())",
        f"{RUN}::test_snapshots_are_of_the_average_in_half_precision",
    ),
    Mutant(
        "ml/training/run.py",
        "weights = halved(self.ema.network.state_dict())",
        "weights = self.ema.network.state_dict()",
        f"{RUN}::test_snapshots_are_of_the_average_in_half_precision",
    ),
    Mutant(
        "ml/training/run.py",
        "self.step % FIRST_SNAPSHOT == 0 and times & (times - 1) == 0",
        "self.step % FIRST_SNAPSHOT == 0",
        f"{RUN}::test_snapshots_are_due_whenever_steps_have_doubled",
    ),
    Mutant(
        "ml/training/run.py",
        "        norm = self.learner.step(lr)\n",
        "        norm = self.learner.step(self.config.lr)\n",
        f"{RUN}::test_the_learning_rate_that_is_told_is_the_one_that_is_learnt_with",
    ),
    Mutant(
        "ml/training/run.py",
        "        return lr * self.learner.share, loss, norm.detach()",
        "        return lr, loss, norm.detach()",
        f"{RUN}::test_the_learning_rate_that_is_told_is_the_one_that_is_learnt_with",
    ),
    Mutant(
        "ml/training/run.py",
        "config.batch_size >= LEAST_BF16",
        "config.batch_size > LEAST_BF16",
        f"{RUN}::test_precision_is_what_is_asked_for_or_pays",
    ),
    Mutant(
        "ml/training/run.py",
        "math.ceil(self.config.epochs * self.count / self.config.batch_size)",
        "int(self.config.epochs * self.count / self.config.batch_size)",
        f"{RUN}::test_a_budget_in_epochs_is_one_in_steps",
    ),
    Mutant(
        "ml/training/run.py",
        "        self._taken_at += self.elapsed_s - before\n",
        "",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "        self._taken_at = self.elapsed_s\n\n    def step_back",
        "\n    def step_back",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "        self._taken_at = self.elapsed_s\n        self._last =",
        "        self._last =",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "self.elapsed_s * (1 - self.progress) / max(self.progress, 1e-9)",
        "self.elapsed_s / max(self.progress, 1e-9)",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "        return min(self.elapsed_s / (60 * (",
        "        return min(self.elapsed_s / ((",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "        with self._looking():\n            *frames, _ = ",
        "        with nullcontext():\n            *frames, _ = ",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "        if self.elapsed_s - self._noise_at < NOISE_EVERY_S and self.progress < 1:",
        "        if self.elapsed_s - self._noise_at < NOISE_EVERY_S:",
        f"{RUN}::test_losses_by_noise_are_of_the_whole_run_since_they_were_told",
    ),
    Mutant(
        "ml/training/run.py",
        "        self._noise_at = self.elapsed_s\n",
        "",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/tracking/loss_by_noise.py",
        "        self.sums.zero_()\n",
        "",
        f"{TRAINER}::test_losses_are_told_by_how_noisy_their_images_were",
    ),
    Mutant(
        "ml/training/run.py",
        "self.curve.scale, self.curve.since_row = state.smooth_loss, state.scale, [*state.since_row]",
        "self.curve.scale, self.curve.since_row = state.smooth_loss, state.scale, []",
        f"{TRAINER}::test_a_resumed_run_is_the_same_to_the_bit",
    ),
    Mutant(
        "ml/training/run.py",
        "            scale=self.curve.scale,\n",
        "",
        f"{RUN}::test_what_is_saved_is_the_average_to_draw_with_and_both_to_go_on_with",
    ),
    Mutant(
        "ml/training/run.py",
        '        self._set_dropout_rng(tensors["rng.dropout"])\n',
        "",
        f"{TRAINER}::test_a_resumed_run_is_the_same_to_the_bit",
    ),
    Mutant(
        "ml/training/run.py",
        "            slowed=self.slowed,\n",
        "",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/training/run.py",
        "        agree(expected, tensors, str(path))\n",
        "",
        f"{RUN}::test_a_state_that_lacks_something_is_refused",
    ),
    Mutant(
        "ml/training/run.py",
        "            seconds=round(self.elapsed_s, 1),\n",
        "",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/training/run.py",
        "            teacher=config.teacher_from,\n",
        "",
        f"{TRAINER}::test_a_student_is_tried_on_no_images",
    ),
    # ---- ml/control.py
    Mutant(
        "ml/control.py",
        "return self._commands.popleft() if",
        "return self._commands.pop() if",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/control.py",
        "        folder, self._folder = self._folder, None\n",
        "        folder = self._folder\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/control.py",
        "        self._folder = folder\n        self.resume()\n",
        "        self._folder = folder\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/control.py",
        "        return self._paused.is_set() and not self.cancelled",
        "        return self._paused.is_set()",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        "    finally:\n        _here.control = before\n",
        "    finally:\n        _here.control = None\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        "    while not wait([done], LOOK_S).done:\n        check_cancelled()\n",
        "",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        "    while (left := until - time.monotonic()) > 0:\n        check_cancelled()\n",
        "    while (left := until - time.monotonic()) > 0:\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        "        time.sleep(min(left, LOOK_S))",
        "        time.sleep(left)",
        "tests/ml/test_control.py",
    ),
    # ---- ml/registry/checkpoint.py
    Mutant(
        "ml/registry/checkpoint.py",
        "        if len(text) > MAX_TEXT:",
        "        if False:",
        f"{CHECKPOINT}::test_a_description_without_end_is_refused",
    ),
    Mutant(
        "ml/models/weights.py",
        "for name in sorted(expected.keys() | found.keys()):",
        "for name in sorted(expected.keys()):",
        f"{CHECKPOINT}::test_a_tensor_of_another_kind_or_name_does_not_agree",
    ),
    Mutant(
        "ml/models/weights.py",
        '    kind = "" if tensor.is_floating_point() else',
        '    kind = "" if True else',
        f"{CHECKPOINT}::test_a_tensor_of_another_kind_or_name_does_not_agree",
    ),
    Mutant(
        "ml/registry/checkpoint.py",
        "        return KEY in (file.metadata() or {})",
        "        return bool(file.metadata() is None)",
        f"{CHECKPOINT}::test_a_file_is_known_by_its_content",
    ),
    Mutant(
        "ml/registry/checkpoint.py",
        "    return int(digits) if digits.isdigit() else 0",
        "    return 0",
        f"{CHECKPOINT}::test_a_full_disk_is_named_whoever_notices",
    ),
    Mutant(
        "ml/models/weights.py",
        "and not (tensor.abs() > most).any() else tensor",
        "else tensor",
        f"{TRAINER}::test_what_half_precision_cannot_hold_stays_as_it_is",
    ),
    Mutant(
        "ml/models/weights.py",
        "    agree(network.state_dict(), weights, source)\n    network",
        "    network",
        f"{CHECKPOINT}::test_weights_of_another_shape_say_what_was_expected_and_found",
    ),
    # ---- ml/training/ema.py
    Mutant(
        "ml/training/ema.py", "** (self.gamma + 1)", "** self.gamma", f"{OPTIM}::test_the_average_follows_the_power_law"
    ),
    Mutant(
        "ml/training/ema.py",
        "            average.copy_(buffer)",
        "            average.lerp_(buffer.to(average.dtype), weight)",
        f"{OPTIM}::test_the_first_step_is_taken_over_whole_and_buffers_always",
    ),
    Mutant(
        "ml/training/ema.py",
        "copy.deepcopy(network).eval()",
        "copy.deepcopy(network)",
        f"{OPTIM}::test_the_first_step_is_taken_over_whole_and_buffers_always",
    ),
    # ---- ml/training/optimizers.py
    Mutant(
        "ml/training/optimizers.py",
        "weight_decay=config.weight_decay, betas=(0.9, 0.99))",
        "betas=(0.9, 0.99))",
        f"{OPTIM}::test_adam_is_that_of_torch_with_its_settings",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "betas=(0.9, 0.99)",
        "betas=(0.9, 0.999)",
        f"{OPTIM}::test_adam_is_that_of_torch_with_its_settings",
    ),
    Mutant(
        "ml/training/optimizers.py",
        'torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW',
        "torch.optim.AdamW",
        f"{OPTIM}::test_adam_is_that_of_torch_with_its_settings",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "ConvMuon(list(inner.values()), config.lr, config.weight_decay)",
        "ConvMuon(list(inner.values()), config.lr, 0.0)",
        f"{OPTIM}::test_weights_decay_under_muon_too",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "p.shape[1] > 1 and not OUTER.search(n)",
        "p.shape[1] > 1",
        f"{OPTIM}::test_muon_has_the_inner_convolutions_and_adam_the_rest",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "        for part in self.parts.values():\n            for group",
        "        for part in [self._adam]:\n            for group",
        f"{OPTIM}::test_the_learning_rate_is_that_of_the_step",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "        self.grad_clip = config.grad_clip or math.inf",
        "        self.grad_clip = config.grad_clip",
        f"{RUN}::test_clipped_gradients_are_told_of_as_long_as_they_were",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "        self.optimizer.step(lr * self.share)",
        "        self.optimizer.step(lr)",
        f"{RUN}::test_the_learning_rate_that_is_told_is_the_one_that_is_learnt_with",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "            part.state.clear()\n",
        "            pass\n",
        f"{OPTIM}::test_a_learner_that_is_cleared_knows_nothing_but_the_names_of_a_saved_state",
    ),
    Mutant(
        "ml/training/optimizers.py",
        "            self.step(lr=0.0)",
        "            self.step(lr=1e-3)",
        f"{OPTIM}::test_a_learner_that_is_cleared_knows_nothing_but_the_names_of_a_saved_state",
    ),
    Mutant(
        "ml/training/lr_schedule.py",
        "    if progress < config.warmup:",
        "    if progress <= config.warmup / 2:",
        f"{OPTIM}::test_learning_rates_warm_up_and_come_down",
    ),
    Mutant(
        "ml/training/lr_schedule.py",
        "rest = min((progress - config.warmup) / (1 - config.warmup), 1.0)",
        "rest = min(progress, 1.0)",
        f"{OPTIM}::test_learning_rates_warm_up_and_come_down",
    ),
    # ---- ml/training/muon.py
    Mutant(
        "ml/training/muon.py",
        '        return gradient.lerp(state["momentum_buffer"], momentum)',
        '        return state["momentum_buffer"]',
        f"{OPTIM}::test_muon_on_convolutions_is_torch_muon_on_their_matrices",
    ),
    Mutant(
        "ml/training/muon.py",
        "sqrt(max(1, out / into))",
        "sqrt(max(1, into / out))",
        f"{OPTIM}::test_muon_on_convolutions_is_torch_muon_on_their_matrices",
    ),
    Mutant(
        "ml/training/muon.py",
        "STEPS = 5",
        "STEPS = 4",
        f"{OPTIM}::test_newton_schulz_moves_singular_values_along_its_polynomial",
    ),
    Mutant(
        "ml/training/muon.py",
        '                matrix.mul_(1 - group["lr"] * group["weight_decay"])\n',
        "",
        f"{OPTIM}::test_weights_decay_under_muon_too",
    ),
    # ---- ml/tracking/metrics_table.py
    Mutant(
        "ml/tracking/metrics_table.py",
        "[self.columns, *self._waiting] if fresh else self._waiting",
        "[self.columns, *self._waiting]",
        f"{TABLES}::test_the_names_stand_in_it_once_and_rows_come_when_they_are_written",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        '            raise refusal(f"write {self.path}", error) from error\n        self._waiting.clear()',
        '            raise refusal(f"write {self.path}", error) from error\n'
        "        finally:\n            self._waiting.clear()",
        f"{TABLES}::test_rows_that_could_not_be_written_leave_nothing_and_wait",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "        file.truncate(size)\n",
        "",
        f"{TABLES}::test_rows_that_could_not_be_written_leave_nothing_and_wait",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        '            raise refusal(f"write {self.path}", error) from error\n        self._waiting.clear()',
        '            raise refusal(f"write {self.path}", error) from error',
        f"{TABLES}::test_the_names_stand_in_it_once_and_rows_come_when_they_are_written",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "        self._waiting.clear()\n        if os.path.isfile",
        "        if os.path.isfile",
        f"{TABLES}::test_what_is_forgotten_is_gone_from_what_waits_too_and_the_rest_stays_as_it_was",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "if self._step_of(line) <= step]",
        "if self._step_of(line) < step]",
        f"{TABLES}::test_what_is_forgotten_is_gone_from_what_waits_too_and_the_rest_stays_as_it_was",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        '            line.endswith("\\n") and len(rest)',
        "            len(rest)",
        f"{TABLES}::test_a_row_that_lacks_its_end_or_a_column_is_forgotten",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        "and len(rest) == len(self.columns) - 1 and",
        "and",
        f"{TABLES}::test_a_row_that_lacks_its_end_or_a_column_is_forgotten",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        '                if not line.endswith("\\n"):\n                    break',
        "                if False:\n                    break",
        f"{TABLES}::test_a_row_that_is_half_written_does_not_count_yet",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        ".read()[[0, 2, 3]]",
        ".read()[[0, 3, 2]]",
        f"{TABLES}::test_a_plot_has_steps_losses_and_smoothed_ones",
    ),
    Mutant(
        "ml/tracking/metrics_table.py",
        '        if rows and line.endswith("\\n") and rows[-1] is not line:\n            rows.append(line)\n',
        "",
        f"{TABLES}::test_of_a_long_table_even_parts_and_its_end_are_read",
    ),
    # ---- ml/tracking/loss_curve.py
    Mutant(
        "ml/tracking/loss_curve.py",
        "keep = 1 - 1 / min(step, SMOOTHING_STEPS)",
        "keep = 1 - 1 / SMOOTHING_STEPS",
        f"{TABLES}::test_the_curve_is_smoothed_over_all_steps_at_first_and_a_hundred_later",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "keep = 1 - 1 / min(step, SMOOTHING_STEPS)",
        "keep = 1 - 1 / step",
        f"{TABLES}::test_the_curve_is_smoothed_over_all_steps_at_first_and_a_hundred_later",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "EXPLODED = 10.0",
        "EXPLODED = 20.0",
        f"{TABLES}::test_ten_times_the_loss_of_knowing_nothing_is_an_explosion",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "            self.scale = max(loss, 1.0)",
        "            self.scale = loss",
        f"{TABLES}::test_ten_times_the_loss_of_knowing_nothing_is_an_explosion",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "            self.since_row.clear()\n",
        "",
        f"{TABLES}::test_rows_become_fewer_and_are_means_of_what_they_stand_for",
    ),
    Mutant(
        "ml/tracking/loss_curve.py",
        "        if not math.isfinite(loss):",
        "        if math.isnan(loss):",
        f"{TABLES}::test_a_loss_that_is_no_number_ends_the_curve",
    ),
    # ---- ml/tracking/loggers.py
    Mutant(
        "ml/tracking/loggers.py",
        "            self._next = time.monotonic() + EVERY_S\n",
        "",
        f"{TRACKERS}::test_points_come_no_more_often_than_every_second_and_pictures_always",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "            self._folder = event.run_dir\n",
        "",
        f"{TRACKERS}::test_a_run_that_goes_on_elsewhere_is_followed_there",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "            if not self._trackers:\n                self._open(event.step)",
        "            self._open(event.step)",
        f"{TRACKERS}::test_a_run_that_goes_on_elsewhere_is_followed_there",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "            self._close()  # the points after its checkpoint are forgotten by beginning anew\n"
        "            self._open(event.step)\n",
        "            pass\n",
        f"{TRACKERS}::test_after_a_return_points_begin_anew_at_its_checkpoint",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "        if step:  # points after",
        "        if False:  # points after",
        f"{TRACKERS}::test_after_a_return_points_begin_anew_at_its_checkpoint",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        '{"held_out_loss": event.loss}',
        '{"loss": event.loss}',
        f"{TRACKERS}::test_points_come_no_more_often_than_every_second_and_pictures_always",
    ),
    Mutant(
        "ml/tracking/loggers.py",
        "        except OSError:\n            self._close()\n\n\ndef _tell_one",
        "        except OSError:\n            pass\n\n\ndef _tell_one",
        f"{TRACKERS}::test_trackers_that_cannot_write_hold_nothing_up_and_are_taken_up_again",
    ),
    # ---- ml/tracking/preview_history.py
    Mutant(
        "ml/tracking/preview_history.py",
        "        for file in kept[1:-1:2]:",
        "        for file in kept[0:-1:2]:",
        f"{TIME_MACHINE}::test_a_long_run_keeps_fewer_but_its_first_and_latest",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "    if len(kept) > MOST:",
        "    if len(kept) > 2 * MOST:",
        f"{TIME_MACHINE}::test_a_long_run_keeps_fewer_but_its_first_and_latest",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "width * height > MAX_PIXELS or ",
        "",
        f"{TIME_MACHINE}::test_pictures_of_another_size_are_not_those_of_a_run",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        " or height % side:",
        ":",
        f"{TIME_MACHINE}::test_pictures_of_another_size_are_not_those_of_a_run",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "        if int(file.stem) > step:",
        "        if int(file.stem) >= step:",
        f"{RUN_FOLDER}::test_what_came_after_a_checkpoint_is_forgotten_everywhere_and_so_is_what_is_half_written",
    ),
    Mutant(
        "ml/tracking/preview_history.py",
        "    rows = preview.film.swapaxes(1, 2).reshape",
        "    rows = preview.film.reshape",
        f"{TIME_MACHINE}::test_a_row_of_the_picture_is_a_step_and_a_column_an_image",
    ),
    # ---- ml/tracking/run_folder.py
    Mutant(
        "ml/tracking/run_folder.py",
        "        for path in model_cards.snapshots(str(self.path)):\n            if int(path.stem) > step:",
        "        for path in model_cards.snapshots(str(self.path)):\n            if int(path.stem) < step:",
        f"{RUN_FOLDER}::test_what_came_after_a_checkpoint_is_forgotten_everywhere_and_so_is_what_is_half_written",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "        for folder in (self.path, self.path / SNAPSHOTS, self.path / preview_history.FOLDER):\n"
        "            sweep(folder)\n",
        "",
        f"{RUN_FOLDER}::test_what_came_after_a_checkpoint_is_forgotten_everywhere_and_so_is_what_is_half_written",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "            for name in (SNAPSHOTS, preview_history.FOLDER):",
        "            for name in (SNAPSHOTS,):",
        f"{RUN_FOLDER}::test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "            table.path = path / table.path.name\n",
        "            pass\n",
        f"{RUN_FOLDER}::test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "        if not same and os.path.exists(path / STATE_FILE):",
        "        if False:",
        f"{RUN_FOLDER}::test_a_run_does_not_move_to_where_another_one_is",
    ),
    Mutant(
        "ml/tracking/run_folder.py",
        "        self._tables = self.losses, self.noise, self.validation",
        "        self._tables = self.losses, self.noise",
        f"{RUN_FOLDER}::test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others",
    ),
    # ---- ml/system/folder_lock.py
    Mutant(
        "ml/system/folder_lock.py",
        "    if not (folder / LOCK_FILE).exists():\n        return False\n",
        "",
        f"{RUN_FOLDER}::test_who_only_looks_makes_no_lock",
    ),
    Mutant(
        "ml/system/folder_lock.py",
        "    except Timeout:\n        return True",
        "    except Timeout:\n        return False",
        f"{TWO_AT_ONCE}::test_a_lock_is_seen_through_by_those_who_only_look",
    ),
    # ---- ml/tracking/run_index.py
    Mutant(
        "ml/tracking/run_index.py",
        "        if name not in found and state.progress < 1 and not is_held(path.parent):",
        "        if name not in found and not is_held(path.parent):",
        f"{RUN_FOLDER}::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "        if name not in found and state.progress < 1 and not is_held(path.parent):",
        "        if name not in found and state.progress < 1:",
        f"{RUN_FOLDER}::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "        if name not in found and state.progress < 1",
        "        if state.progress < 1",
        f"{RUN_FOLDER}::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "    for path in sorted(states, key=modified, reverse=True):",
        "    for path in sorted(states, key=modified):",
        f"{RUN_FOLDER}::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    Mutant(
        "ml/tracking/run_index.py",
        "reverse=True)[:most]]",
        "reverse=True)]",
        f"{RUN_FOLDER}::test_runs_that_can_be_gone_on_with_are_the_persons_own_and_those_that_moved",
    ),
    # ---- ml/training/overrides.py
    Mutant(
        "ml/training/overrides.py",
        "            values |= dict.fromkeys(BUDGETS)\n",
        "            pass\n",
        f"{SETTINGS}::test_one_budget_replaces_another",
    ),
    Mutant(
        "ml/training/overrides.py",
        "if name not in BUDGETS and theirs[name] != value",
        "if theirs[name] != value",
        f"{SETTINGS}::test_a_run_goes_on_with_its_own_settings_and_another_budget",
    ),
    Mutant(
        "ml/training/overrides.py",
        'config.model_dump(mode="json", exclude_unset=True), config',
        'config.model_dump(mode="json"), config',
        f"{FITTING}::test_what_is_named_is_kept_and_asked_of_the_data",
    ),
    Mutant(
        "ml/training/overrides.py",
        'key, equals, value = text.partition("=")',
        'key, equals, value = text.rpartition("=")',
        f"{SETTINGS}::test_an_assignment_is_a_name_and_a_value",
    ),
    # ---- ml/registry/presets.py
    Mutant(
        "ml/registry/presets.py",
        "    return _read(path, path.stat().st_mtime_ns)",
        "    return _read(path, 0)",
        f"{SETTINGS}::test_presets_are_read_anew_once_they_have_changed",
    ),
    Mutant(
        "ml/registry/presets.py",
        "    return sorted(path.stem for",
        "    return list(path.stem for",
        f"{SETTINGS}::test_presets_are_in_order_wherever_they_lie",
    ),
    # ---- ml/training/throughput.py
    Mutant(
        "ml/training/throughput.py",
        "    run.advance()\n    run.report()\n    began",
        "    began",
        f"{SETTINGS}::test_a_run_is_estimated_from_a_few_of_its_steps",
    ),
    Mutant(
        "ml/training/throughput.py",
        "    return steps * run.config.batch_size / (",
        "    return steps / (",
        f"{SETTINGS}::test_a_run_is_estimated_from_a_few_of_its_steps",
    ),
    Mutant(
        "ml/training/throughput.py",
        "if config.minutes is None else 60 * config.minutes",
        "if config.minutes is None else config.minutes",
        f"{SETTINGS}::test_a_run_is_estimated_from_a_few_of_its_steps",
    ),
    Mutant(
        "ml/training/throughput.py",
        "else images * (config.epochs or 0)",
        "else config.batch_size * (config.epochs or 0)",
        f"{SETTINGS}::test_a_run_is_estimated_from_a_few_of_its_steps",
    ),
    Mutant(
        "ml/training/throughput.py",
        "        if STEPS * config.batch_size / rate < PATIENCE_S:",
        "        if STEPS * config.batch_size / rate > PATIENCE_S:",
        f"{SETTINGS}::test_a_run_is_estimated_from_a_few_of_its_steps",
    ),
    # ---- ml/data/device_dataset.py
    Mutant(
        "ml/data/device_dataset.py",
        ".div_(127.5).sub_(1)",
        ".div_(255)",
        f"{OBJECTIVES}::test_pixels_become_numbers_from_minus_one_to_one",
    ),
    Mutant(
        "ml/data/device_dataset.py",
        "        return Pictures(x0, self.labels[chosen])",
        "        return Pictures(x0, self.labels[: len(chosen)])",
        f"{OBJECTIVES}::test_pixels_become_numbers_from_minus_one_to_one",
    ),
    # ---- ml/training/objectives/base.py
    Mutant(
        "ml/training/objectives/classifier.py",
        "distort(x0, rng) if self.config.augment else x0",
        "distort(x0, rng)",
        f"{OBJECTIVES}::test_a_judge_reads_images_with_their_labels_distorted_where_asked_for",
    ),
    Mutant(
        "ml/training/objectives/diffusion.py",
        "self.images.labels[chosen]\n\n\nclass TextObjective",
        "self.images.labels[: len(chosen)]\n\n\nclass TextObjective",
        f"{OBJECTIVES}::test_a_latent_model_learns_from_latents_of_its_images_that_are_made_once",
    ),
    Mutant(
        "ml/training/objectives/diffusion.py",
        "zip(labels.tolist(), self.bits[chosen.cpu()].tolist(), strict=True)",
        "zip(labels.tolist(), self.bits[: len(chosen)].tolist(), strict=True)",
        f"{OBJECTIVES}::test_captions_are_told_of_the_images_they_are_true_of",
    ),
    Mutant(
        "ml/training/objectives/diffusion.py",
        "        return noised(x0, said, self.schedule, self.config, rng, self.silence)",
        "        return noised(x0, said, self.schedule, self.config, rng, said[0])",
        f"{OBJECTIVES}::test_captions_are_told_of_the_images_they_are_true_of",
    ),
    Mutant(
        "ml/training/objectives/clip.py",
        "        return CaptionedBatch(*self.images[chosen], self.bits[chosen.cpu()])",
        "        return CaptionedBatch(*self.images[chosen], self.bits[: len(chosen)])",
        f"{OBJECTIVES}::test_a_clip_sees_each_image_with_its_own_label_and_attributes",
    ),
    Mutant(
        "ml/training/objectives/clip.py",
        "        if pick.random() > self.FOREIGN:",
        "        if pick.random() < self.FOREIGN:",
        f"{OBJECTIVES}::test_a_quarter_of_what_a_clip_reads_has_words_that_nobody_has_heard_of",
    ),
    Mutant(
        "ml/training/objectives/clip.py",
        "+ ((tokenizer.UNKNOWN,) if len(encoded) in places else ())",
        "",
        f"{OBJECTIVES}::test_a_quarter_of_what_a_clip_reads_has_words_that_nobody_has_heard_of",
    ),
    Mutant(
        "ml/training/objectives/clip.py",
        "        labels = torch.full((len(noisy),), self.artist.config.num_classes, device=self.device)",
        "        labels = torch.zeros((len(noisy),), dtype=torch.long, device=self.device)",
        f"{OBJECTIVES}::test_a_clip_learns_to_read_what_a_model_makes_out_in_noise",
    ),
    Mutant(
        "ml/training/objectives/registry.py",
        "    if config.teacher_from:\n        return DistillationObjective(config, dataset, device)\n",
        "",
        f"{OBJECTIVES}::test_every_kind_of_network_has_what_it_is_trained_for",
    ),
    # ---- desktop_app/viewmodels/train.py
    Mutant(
        "desktop_app/viewmodels/train.py",
        "config.with_changes(lr=config.lr * SLOWER, name=folder.name)",
        "config.with_changes(name=folder.name)",
        "tests/app/window/test_start_again.py",
    ),
    Mutant(
        "desktop_app/viewmodels/train.py",
        "            folder = free_name(folder)\n            self._begin",
        "            self._begin",
        "tests/app/window/test_start_again.py",
    ),
]
