"""Mistakes in training."""

from tests.mutation.mutant import Mutant

TRAINER = "tests/ml/test_trainer.py"
RUN = "tests/ml/test_run.py"
DIVERGING = "tests/ml/test_diverging.py"

MUTANTS: list[Mutant] = [
    # ---- ml/trainer.py
    Mutant(
        "ml/trainer.py",
        '''    """Hold until `control` says otherwise, with everything saved."""
    yield from _writing(run, control, run.save)
''',
        '''    """Hold until `control` says otherwise, with everything saved."""
''',
        f"{TRAINER}::test_pausing_holds_saves_and_changes_nothing",
    ),
    Mutant(
        "ml/trainer.py",
        """            yield from _writing(run, control, run.save)
            yield CheckpointSaved(run.step, run.folder)
        if run.can_validate""",
        """            yield CheckpointSaved(run.step, run.folder)
        if run.can_validate""",
        f"{TRAINER}::test_commands_are_carried_out_between_two_steps",
    ),
    Mutant(
        "ml/trainer.py",
        "    if not control.cancelled:\n        yield Resumed(run.step, run.folder)",
        "    yield Resumed(run.step, run.folder)",
        f"{TRAINER}::test_a_paused_run_can_be_stopped",
    ),
    Mutant(
        "ml/trainer.py",
        "recorded.with_changes(steps=asked.steps, epochs=asked.epochs, minutes=asked.minutes)",
        "recorded.with_changes(steps=asked.steps, minutes=asked.minutes)",
        f"{TRAINER}::test_a_run_that_goes_on_has_the_budget_that_is_asked_for_now_and_its_own_settings",
    ),
    Mutant(
        "ml/trainer.py",
        "    return recorded.with_changes(steps=asked.steps",
        "    return asked.with_changes(steps=asked.steps",
        f"{TRAINER}::test_a_run_that_goes_on_has_the_budget_that_is_asked_for_now_and_its_own_settings",
    ),
    Mutant(
        "ml/trainer.py",
        'data.loading(config.data, root, "test", form_for(config.model))',
        'data.loading(config.data, root, "train", form_for(config.model))',
        f"{DIVERGING}::test_images_that_are_held_out_are_looked_at_in_as_many_parts",
    ),
    Mutant(
        "ml/trainer.py",
        """    if config.teacher_from:
        return None  # a student learns from its teacher, and its loss says nothing of images
""",
        "",
        f"{TRAINER}::test_a_student_is_tried_on_no_images",
    ),
    Mutant(
        "ml/trainer.py",
        "    if (channels, side) != (config.model.channels, config.model.image_size):\n        return None\n",
        "",
        f"{TRAINER}::test_images_are_held_out_by_chance_and_with_their_labels",
    ),
    Mutant(
        "ml/trainer.py",
        "labels=dataset.labels[some])",
        "labels=dataset.labels[:HELD_OUT])",
        f"{TRAINER}::test_images_are_held_out_by_chance_and_with_their_labels",
    ),
    Mutant(
        "ml/trainer.py",
        "torch.Generator().manual_seed(HELD_OUT_SEED))[:HELD_OUT]",
        "torch.Generator().manual_seed(config.seed))[:HELD_OUT]",
        f"{TRAINER}::test_images_are_held_out_by_chance_and_with_their_labels",
    ),
    Mutant(
        "ml/trainer.py",
        "    if run.draws and not control.cancelled:\n",
        "    if run.draws:\n",
        f"{TRAINER}::test_steps_between_two_reports_are_reported_together_and_none_is_left_out",
    ),
    Mutant(
        "ml/trainer.py",
        "run.folder / MODEL_FILE, run.progress >= 1)",
        "run.folder / MODEL_FILE, True)",
        f"{TRAINER}::test_a_paused_run_can_be_stopped",
    ),
    Mutant(
        "ml/trainer.py",
        "    if run.has_news:\n        yield run.report()\n",
        "",
        f"{TRAINER}::test_steps_between_two_reports_are_reported_together_and_none_is_left_out",
    ),
    Mutant(
        "ml/trainer.py",
        "            last_report = run.elapsed_s\n",
        "",
        f"{TRAINER}::test_steps_between_two_reports_are_reported_together_and_none_is_left_out",
    ),
    Mutant(
        "ml/trainer.py",
        "            last_save = clock()\n",
        "",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/trainer.py",
        "clock() - last_save >= run.config.save_every_s",
        "clock() - last_save >= run.config.preview_every_s",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/trainer.py",
        "next_preview = run.elapsed_s + max(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))",
        "next_preview = run.elapsed_s + min(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/trainer.py",
        "next_preview = run.elapsed_s + max(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))",
        "next_preview = run.elapsed_s + PREVIEW_PATIENCE * (clock() - began)",
        f"{TRAINER}::test_previews_come_no_more_often_than_is_asked_for",
    ),
    Mutant(
        "ml/trainer.py",
        "HELD_OUT_PATIENCE * (clock() - began))\n            yield validated",
        "PREVIEW_PATIENCE * (clock() - began))\n            yield validated",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/trainer.py",
        "PREVIEW_PATIENCE = 10 ",
        "PREVIEW_PATIENCE = 1 ",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/trainer.py",
        "        while not control.cancelled:\n            try:\n                progress = next(loading)",
        "        while True:\n            try:\n                progress = next(loading)",
        f"{TRAINER}::test_cancelled_while_its_data_are_read_a_run_leaves_nothing",
    ),
    Mutant(
        "ml/trainer.py",
        "    except (Diverged, CannotWrite, KeyboardInterrupt):",
        "    except (Diverged, CannotWrite):",
        f"{DIVERGING}::test_a_step_that_is_interrupted_is_not_saved",
    ),
    Mutant(
        "ml/trainer.py",
        "        if not run.stuck:\n            run.save()\n",
        "",
        f"{DIVERGING}::test_what_fails_in_a_step_is_raised_once_all_before_it_is_saved",
    ),
    Mutant(
        "ml/trainer.py",
        "    if run.slowed < MOST_RETURNS:",
        "    if run.slowed <= MOST_RETURNS:",
        f"{DIVERGING}::test_after_three_returns_a_run_stops_and_explains",
    ),
    Mutant(
        "ml/trainer.py",
        "            yield from _writing(run, control, lambda: run.place.forget_after(run.step))\n",
        "",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/trainer.py",
        "        with suppress(BadFile):  # the checkpoint has gone\n",
        "        with suppress(OSError):\n",
        f"{DIVERGING}::test_without_its_checkpoint_a_run_cannot_go_back",
    ),
    # ---- ml/run.py
    Mutant(
        "ml/run.py",
        "SLOWER = 0.25 ",
        "SLOWER = 0.5 ",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/run.py",
        "            learner.share = SLOWER**times",
        "            learner.share = SLOWER",
        f"{DIVERGING}::test_after_three_returns_a_run_stops_and_explains",
    ),
    Mutant(
        "ml/run.py",
        "        slowed, split = self.slowed + 1, self.parts\n",
        "        slowed, split = self.slowed, self.parts\n",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/run.py",
        "        self._slow(state.slowed)\n",
        "",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/run.py",
        "        self._unreported.clear()\n",
        "",
        f"{DIVERGING}::test_what_came_after_the_checkpoint_is_in_no_report",
    ),
    Mutant(
        "ml/run.py",
        "        self.by_noise.take()\n        self.restore()",
        "        self.restore()",
        f"{DIVERGING}::test_what_came_after_the_checkpoint_is_in_no_report",
    ),
    Mutant(
        "ml/run.py",
        "        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):",
        "        if False:",
        f"{DIVERGING}::test_a_gradient_that_is_no_number_is_seen_before_anything_is_saved",
    ),
    Mutant(
        "ml/run.py",
        "        self.parts = max(self.config.accumulate, state.parts)\n",
        "",
        f"{DIVERGING}::test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does",
    ),
    Mutant(
        "ml/run.py",
        "                self._begin_again(*before)\n                if self.device",
        "                if self.device",
        f"{DIVERGING}::test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does",
    ),
    Mutant(
        "ml/run.py",
        "            buffer.copy_(before)\n",
        "            pass\n",
        f"{RUN}::test_a_step_that_comes_to_no_end_has_not_been",
    ),
    Mutant(
        "ml/run.py",
        "        self.rng.set_state(rng)\n        self._set_dropout_rng(dropout_rng)",
        "        self.rng.set_state(rng)",
        f"{RUN}::test_a_step_that_comes_to_no_end_has_not_been",
    ),
    Mutant(
        "ml/run.py",
        "            mean = losses.mean() * (len(part[0]) / len(chosen))",
        "            mean = losses.mean() / count",
        f"{TRAINER}::test_a_batch_in_parts_teaches_the_same",
    ),
    Mutant(
        "ml/run.py",
        "        torch.manual_seed(config.seed)  # the initial weights",
        "        torch.manual_seed(0)",
        f"{RUN}::test_weights_order_and_noise_follow_from_the_seed",
    ),
    Mutant(
        "ml/run.py",
        "self.rng = torch.Generator(where).manual_seed(config.seed)",
        "self.rng = torch.Generator(where).manual_seed(PREVIEW_SEED)",
        f"{RUN}::test_weights_order_and_noise_follow_from_the_seed",
    ),
    Mutant(
        "ml/run.py",
        "(self.config.seed * 1_000_003 + epoch)",
        "(1_000_003 + epoch)",
        f"{RUN}::test_weights_order_and_noise_follow_from_the_seed",
    ),
    Mutant(
        "ml/run.py",
        "(self.config.seed * 1_000_003 + epoch)",
        "(self.config.seed * 1_000_003)",
        f"{TRAINER}::test_batches_walk_through_every_epoch_once",
    ),
    Mutant(
        "ml/run.py",
        "            losses = [self._held_out.losses(self.ema.network, part, rng)",
        "            losses = [self._held_out.losses(self.network, part, rng)",
        f"{RUN}::test_what_is_looked_at_is_the_average_and_looking_changes_nothing",
    ),
    Mutant(
        "ml/run.py",
        "            batch = self._held_out.draw(self.ema.network, chosen, rng)",
        "            batch = self._held_out.draw(self.ema.network, chosen, self.rng)",
        f"{RUN}::test_what_is_looked_at_is_the_average_and_looking_changes_nothing",
    ),
    Mutant(
        "ml/run.py",
        'pipeline.LoadedModel("run", self.header(), self.ema.network,',
        'pipeline.LoadedModel("run", self.header(), self.network,',
        f"{RUN}::test_what_is_looked_at_is_the_average_and_looking_changes_nothing",
    ),
    Mutant(
        "ml/run.py",
        "labels=labels, seed=PREVIEW_SEED)",
        "labels=labels, seed=self.step)",
        f"{TRAINER}::test_previews_all_begin_in_the_same_noise",
    ),
    Mutant(
        "ml/run.py",
        "steps=min(self.config.defaults.steps, PREVIEW_STEPS)",
        "steps=PREVIEW_STEPS",
        f"{RUN}::test_a_preview_is_a_glance_at_one_digit_of_each_class",
    ),
    Mutant(
        "ml/run.py",
        """        weights = self.ema.network.state_dict()
        if self.config.file_precision""",
        """        weights = self.network.state_dict()
        if self.config.file_precision""",
        f"{RUN}::test_what_is_saved_is_the_average_to_draw_with_and_both_to_go_on_with",
    ),
    Mutant(
        "ml/run.py",
        "weights = halved(self.ema.network.state_dict())",
        "weights = halved(self.network.state_dict())",
        f"{RUN}::test_snapshots_are_of_the_average_in_half_precision",
    ),
    Mutant(
        "ml/run.py",
        "weights = halved(self.ema.network.state_dict())",
        "weights = self.ema.network.state_dict()",
        f"{RUN}::test_snapshots_are_of_the_average_in_half_precision",
    ),
    Mutant(
        "ml/run.py",
        "self.step % FIRST_SNAPSHOT == 0 and times & (times - 1) == 0",
        "self.step % FIRST_SNAPSHOT == 0",
        f"{RUN}::test_snapshots_are_due_whenever_steps_have_doubled",
    ),
    Mutant(
        "ml/run.py",
        "        norm = self.learner.step(lr)\n",
        "        norm = self.learner.step(self.config.lr)\n",
        f"{RUN}::test_the_learning_rate_that_is_told_is_the_one_that_is_learnt_with",
    ),
    Mutant(
        "ml/run.py",
        "        return lr * self.learner.share, loss, norm.detach()",
        "        return lr, loss, norm.detach()",
        f"{RUN}::test_the_learning_rate_that_is_told_is_the_one_that_is_learnt_with",
    ),
    Mutant(
        "ml/run.py",
        "config.batch_size >= LEAST_BF16",
        "config.batch_size > LEAST_BF16",
        f"{RUN}::test_precision_is_what_is_asked_for_or_pays",
    ),
    Mutant(
        "ml/run.py",
        "math.ceil(self.config.epochs * self.count / self.config.batch_size)",
        "int(self.config.epochs * self.count / self.config.batch_size)",
        f"{RUN}::test_a_budget_in_epochs_is_one_in_steps",
    ),
    Mutant(
        "ml/run.py",
        "        self._taken_at += self.elapsed_s - before\n",
        "",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
        "        self._taken_at = self.elapsed_s\n\n    def step_back",
        "\n    def step_back",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
        "        self._taken_at = self.elapsed_s\n        self._last =",
        "        self._last =",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
        "self.elapsed_s * (1 - self.progress) / max(self.progress, 1e-9)",
        "self.elapsed_s / max(self.progress, 1e-9)",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
        "        return min(self.elapsed_s / (60 * (",
        "        return min(self.elapsed_s / ((",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
        "        with self._looking():\n            *frames, _ = ",
        "        with nullcontext():\n            *frames, _ = ",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
        "        if self.elapsed_s - self._noise_at < NOISE_EVERY_S and self.progress < 1:",
        "        if self.elapsed_s - self._noise_at < NOISE_EVERY_S:",
        f"{RUN}::test_losses_by_noise_are_of_the_whole_run_since_they_were_told",
    ),
    Mutant(
        "ml/run.py",
        "        self._noise_at = self.elapsed_s\n",
        "",
        f"{TRAINER}::test_what_is_due_after_some_time_comes_then",
    ),
    Mutant(
        "ml/run.py",
        "        self.sums.zero_()\n",
        "",
        f"{TRAINER}::test_losses_are_told_by_how_noisy_their_images_were",
    ),
    Mutant(
        "ml/run.py",
        "self.curve.scale, self.curve.since_row = state.smooth_loss, state.scale, [*state.since_row]",
        "self.curve.scale, self.curve.since_row = state.smooth_loss, state.scale, []",
        f"{TRAINER}::test_a_resumed_run_is_the_same_to_the_bit",
    ),
    Mutant(
        "ml/run.py",
        "            scale=self.curve.scale,\n",
        "",
        f"{RUN}::test_what_is_saved_is_the_average_to_draw_with_and_both_to_go_on_with",
    ),
    Mutant(
        "ml/run.py",
        '        self._set_dropout_rng(tensors["rng.dropout"])\n',
        "",
        f"{TRAINER}::test_a_resumed_run_is_the_same_to_the_bit",
    ),
    Mutant(
        "ml/run.py",
        "            slowed=self.slowed,\n",
        "",
        f"{DIVERGING}::test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down",
    ),
    Mutant(
        "ml/run.py",
        "        agree(expected, tensors, str(path))\n",
        "",
        f"{RUN}::test_a_state_that_lacks_something_is_refused",
    ),
    Mutant(
        "ml/run.py",
        "            seconds=round(self.elapsed_s, 1),\n",
        "",
        f"{TRAINER}::test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them",
    ),
    Mutant(
        "ml/run.py",
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
        "ml/control.py",
        "    finally:\n        _here.control = before\n",
        "    finally:\n        _here.control = None\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/control.py",
        "    while not wait([done], LOOK_S).done:\n        stop_here()\n",
        "",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/control.py",
        "    while (left := until - time.monotonic()) > 0:\n        stop_here()\n",
        "    while (left := until - time.monotonic()) > 0:\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/control.py",
        "        time.sleep(min(left, LOOK_S))",
        "        time.sleep(left)",
        "tests/ml/test_control.py",
    ),
]
