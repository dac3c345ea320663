"""Mistakes in desktop_app/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
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
        "desktop_app/lesson_file.py",
        "if len(text.splitlines()) > MAX_LINES:",
        "if len(text.splitlines()) >= MAX_LINES:",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "if len(text) > MAX_BYTES:",
        "if len(text) >= MAX_BYTES:",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "if version > VERSION:",
        "if version > VERSION + 1:",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        'FREE_TEXTS = ("prompt", "digits", "picture")',
        'FREE_TEXTS = ("prompt", "digits")',
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "(PATHLIKE.search(value) or value.startswith(IMAGE_FOLDER))",
        "PATHLIKE.search(value)",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/settings.py",
        '{self.model} if self.mode == "grid" else',
        '{self.model} if self.mode != "grid" else',
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/settings.py",
        "        return {self.model}\n\n    def request(",
        "        return set()\n\n    def request(",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "case ExploreSettings() if settings.picture:",
        "case ExploreSettings() if False:",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "exclude=page_settings().keys() - {lesson.page}",
        "exclude=set()",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "if number < index or revealed:",
        "if number < index:",
        "tests/app/viewmodels/test_lesson_steps.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "<= number <=",
        "< number <=",
        "tests/app/viewmodels/test_lesson_steps.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        '.strip().replace(",", ".")',
        ".strip()",
        "tests/app/viewmodels/test_lesson_steps.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "(*by_page.values(), *self._all_settings())",
        "by_page.values()",
        "tests/app/viewmodels/test_lesson_steps.py",
    ),
    Mutant(
        "desktop_app/text/glossary.py",
        "        if entry not in seen:",
        "        if True:",
        "tests/app/text/test_glossary.py",
    ),
    Mutant(
        "desktop_app/text/glossary.py",
        "if not AMBIGUOUS.fullmatch(name)}",
        "}",
        "tests/app/text/test_glossary.py",
    ),
    Mutant(
        "desktop_app/lesson_file.py",
        "case TrainSettings() if settings.preset not in presets.names():",
        "case TrainSettings() if False:",
        "tests/app/viewmodels/test_lessons.py",
    ),
    Mutant(
        "desktop_app/settings.py",
        'self.model_dump(exclude={"rows"})',
        'self.model_dump(exclude={"rows", "seed"})',
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/settings.py",
        'aside = free_name(path.with_stem("settings-unread"))',
        'aside = path.with_stem("settings-unread")',
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/settings.py",
        "            move(path, aside)",
        "            pass",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/settings.py",
        'default="", exclude=True, description="why the previous settings',
        'default="", description="why the previous settings',
        "tests/app/viewmodels/test_tasks.py",
    ),
]
