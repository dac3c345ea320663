"""Mistakes in desktop_app/tasks/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "desktop_app/tasks/draw.py",
        "x0 = torch.from_numpy(image.copy())[None, None].float() / 127.5 - 1",
        "x0 = torch.from_numpy(image.copy())[None, None].float() / 255",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/files.py",
        ("        if control.cancelled:\n            raise _Cancelled"),
        ("        if False:\n            raise _Cancelled"),
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/files.py",
        ("        writing.result()\n        yield Exported(path)"),
        "        yield Exported(path)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/files.py",
        'progress = Progress(f"Writing {path.name}", done, total)',
        'progress = Progress(f"Writing {path.name}", total, done)',
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/files.py",
        ("        if not as_drawing:\n            raise\n"),
        "",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/files.py",
        ("if request == read.stamp.request:\n            return images"),
        ("if False:\n            return images"),
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        ("    if not card.path.is_file():\n        return\n"),
        "",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        "            if not card.bundled:\n",
        "            if card.bundled:\n",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        "            model_preview.keep(card, event.images)\n",
        "",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        'for split in ("train", "test"))',
        'for split in ("train",))',
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        (
            "    for event in metrics.evaluate_model(request, reference, control=control):\n"
            "        if control.cancelled:\n"
            "            return"
        ),
        (
            "    for event in metrics.evaluate_model(request, reference, control=control):\n"
            "        if False:\n"
            "            return"
        ),
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        "trash.empty(older_than_s)",
        "trash.empty()",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        (
            "    labels = balanced_labels(card.header.model, count)\n"
            "    request = SampleRequest(**card.header.defaults.model_dump(), model=str(card.path), labels=labels)\n"
            "    yield from pipeline"
        ),
        (
            "    labels = balanced_labels(card.header.model, count)\n"
            "    request = SampleRequest(model=card.name, labels=labels[:1])\n"
            "    yield from pipeline"
        ),
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/models.py",
        "labels = metrics.labels_to_score(header, reference.test.classes, count)",
        "labels = balanced_labels(header.model, count)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/sampling.py",
        "guesses.append(event.x0_hat)",
        "guesses.append(event.x_t)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/sampling.py",
        "yield JudgeResult(verdict.labels, verdict.confidence,",
        "yield JudgeResult(verdict.labels, verdict.probabilities[:, 0],",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/sampling.py",
        "for guess in guesses if not control.cancelled]",
        "for guess in guesses]",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/sampling.py",
        "            if len(found) == len(guesses):\n",
        "            if True:\n",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/sampling.py",
        "control=control, frames=frames, optimized=optimized)",
        "control=control, frames=frames)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/sampling.py",
        "judge = judge_for(loaded_model.load(request.model).header)",
        "judge = judge_for(loaded_model.load('digits').header)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/startup.py",
        'f"{card.name}@{int(path.stem)}"',
        'f"{card.name}@{path.stem}"',
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/training.py",
        ("        if control.cancelled and not started:\n            return"),
        ("        if False:\n            return"),
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/tasks/data.py",
        "if not download and datasets.needs_download",
        "if datasets.needs_download",
        "tests/app/viewmodels/test_tasks.py",
    ),
]
