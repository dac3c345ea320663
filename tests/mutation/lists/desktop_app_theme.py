"""Mistakes in desktop_app/theme/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
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
]
