"""Mistakes in ml/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/cancellation.py",
        ("    finally:\n        _here.control = before\n"),
        ("    finally:\n        _here.control = None\n"),
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        ("    while not wait([done], POLL_S).done:\n        check_cancelled()\n"),
        "",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        ("    while (left := until - time.monotonic()) > 0:\n        check_cancelled()\n"),
        "    while (left := until - time.monotonic()) > 0:\n",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/cancellation.py",
        "        time.sleep(min(left, POLL_S))",
        "        time.sleep(left)",
        "tests/ml/test_control.py",
    ),
    Mutant(
        "ml/config.py",
        "{**self.model_dump(exclude_unset=True), **changes}",
        "{**self.model_dump(), **changes}",
        "tests/ml/test_config.py::test_unset_fields_stay_unset_in_a_copy",
    ),
    Mutant(
        "ml/config.py",
        "return self.guidance if self.guidance < 1 or self.guidance_from <= ratio <= self.guidance_to else 1.0",
        "return self.guidance if self.guidance_from <= ratio <= self.guidance_to else 1.0",
        "tests/ml/test_config.py::test_guidance_of_more_than_one_acts_between_its_bounds",
    ),
    Mutant(
        "ml/config.py",
        "return self.codec.latent, -(-self.image_size // 2 ** (len(self.codec.widths) - 1))",
        "return self.codec.latent, self.image_size // 2 ** (len(self.codec.widths) - 1)",
        "tests/ml/test_config.py::test_a_model_sees_the_codes_of_its_codec",
    ),
    Mutant(
        "ml/config.py",
        "return self.seeds[k] if self.seeds else self.seed + k",
        "return self.seed + k",
        "tests/ml/test_config.py::test_an_image_alone_keeps_what_makes_it",
    ),
    Mutant(
        "ml/config.py",
        '"parent": parent, "seeds": ()}',
        '"parent": parent}',
        "tests/ml/test_config.py::test_an_image_alone_keeps_what_makes_it",
    ),
    Mutant(
        "ml/config.py",
        "parent = self.parent.alone(k) if self.parent else None",
        "parent = None",
        "tests/ml/test_config.py::test_an_image_alone_keeps_what_makes_it",
    ),
    Mutant(
        "ml/config.py",
        'changes["parent"] = self.parent.some(chosen) if self.parent else None\n',
        'changes["parent"] = self.parent\n',
        "tests/ml/test_config.py::test_some_images_are_those_named_as_often_as_they_are",
    ),
    Mutant(
        "ml/config.py",
        "seeds=[self.seed_of(k) for k in chosen])",
        "seeds=())",
        "tests/ml/test_config.py::test_some_images_are_those_named_as_often_as_they_are",
    ),
    Mutant(
        "ml/config.py",
        'self.with_changes(model_hash="", parent=self.parent.unhashed if self.parent else None)',
        'self.with_changes(model_hash="")',
        "tests/ml/test_config.py::test_a_request_without_hashes_has_none_anywhere",
    ),
    Mutant(
        "ml/config.py",
        "if self.seeds and len(self.seeds) != len(self.labels):",
        "if self.seeds and len(self.seeds) < len(self.labels) - 1:",
        "tests/ml/test_config.py::test_requests_that_contradict_themselves_are_refused",
    ),
    Mutant(
        "ml/config.py",
        "if self.parent and len(self.parent.labels) != len(self.labels):",
        "if self.parent and len(self.parent.labels) > len(self.labels):",
        "tests/ml/test_config.py::test_requests_that_contradict_themselves_are_refused",
    ),
    Mutant(
        "ml/config.py",
        "min(row, default=-1) < 0 or sum(row) <= 0:",
        "min(row, default=-1) < 0:",
        "tests/ml/test_config.py::test_requests_that_contradict_themselves_are_refused",
    ),
    Mutant(
        "ml/config.py",
        "if self.branches > MAX_BRANCHES:",
        "if self.branches > MAX_BRANCHES + 100:",
        "tests/ml/generation/test_branching.py::test_what_cannot_be_branched_is_said",
    ),
    Mutant(
        "ml/config.py",
        "return of_version and isinstance(version, int) and version > 1",
        "return isinstance(version, int) and version > 1",
        "tests/ml/test_config.py::test_a_wrong_file_is_refused_by_the_first_thing_wrong",
    ),
    Mutant(
        "ml/config.py",
        "return of_version and isinstance(version, int) and version > 1",
        "return of_version and isinstance(version, int)",
        "tests/ml/test_config.py::test_a_wrong_file_is_refused_by_the_first_thing_wrong",
    ),
    Mutant(
        "ml/config.py",
        "if len(given) != 1 and (given or not self.automatic):",
        "if not given:",
        "tests/ml/test_config.py::test_a_run_has_one_budget",
    ),
    Mutant(
        "ml/config.py",
        "if self.zero_snr and not prediction.zero_snr:",
        "if self.zero_snr and prediction.discrete:",
        "tests/ml/test_config.py::test_networks_that_cannot_be_are_refused",
    ),
    Mutant(
        "ml/config.py",
        "if prediction.discrete and not SCHEDULES[self.schedule].discrete:",
        'if prediction.discrete and self.schedule == "flow":',
        "tests/ml/test_config.py::test_networks_that_cannot_be_are_refused",
    ),
    Mutant(
        "ml/specs.py",
        'settings={"sampler": "ddpm", "steps": 10, "repeats": 2}',
        'settings={"sampler": "ddpm", "steps": 10}',
        "tests/ml/test_config.py::test_the_route_of_clip_takes_its_time",
    ),
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
        ("        self._folder = folder\n        self.resume()\n"),
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
        "ml/threads.py",
        "torch.set_num_threads(before)",
        "torch.set_num_threads(1)",
        "tests/ml/test_threads.py",
    ),
]
