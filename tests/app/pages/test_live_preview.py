"""While a control moves, the images follow it at once; as it rests, they are drawn exactly.

What is asked for, and which of it is shown, is in `viewmodels/test_live_preview.py` and `viewmodels/test_generate.py`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from desktop_app.pages.generate import GeneratePage
from desktop_app.viewmodels.generate import SKETCH_S, Generate
from desktop_app.viewmodels.live_preview import MANY, STUDENT
from desktop_app.window.main_window import MainWindow
from ml.events import Sampled
from ml.generation import pipeline
from ml.models import optimized
from tests.patience import WAIT_MS

NEVER_MS = 2**30  # a hand rests, and all is quiet, when a test says so


class Near(torch.nn.Module):
    """A variant of a network: its output is within the tolerance, and another one on every processor."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.network(*inputs) * (1 - optimized.TOLERANCE / 5)


@pytest.fixture
def formed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Every variant is `Near`; for each that is made, whether it is for a single image."""
    made: list[bool] = []

    def variant(network: torch.nn.Module, *_inputs: torch.Tensor, single: bool) -> torch.nn.Module:
        made.append(single)
        return Near(network)

    monkeypatch.setattr(optimized, "fastest_variant", variant)
    optimized.optimize.cache_clear()
    yield made
    optimized.optimize.cache_clear()


@pytest.fixture
def panel(window: MainWindow, qtbot: QtBot, formed: list[bool]) -> GeneratePage:
    """The page with a row of digits, at its last step."""
    generate = window.session.generate
    for timer in (generate._soon, generate._live_preview._soon):
        timer.setInterval(NEVER_MS)
    generate.change(rows=1, prompt="0-9", live=False)
    generate.use_model("digits")
    until(qtbot, lambda: not generate.busy and generate.verdict is not None and window.session.context.at_rest)
    generate._pace["digits"] = SKETCH_S / 101  # a machine that is fast enough, however loaded
    panel = window.generate
    panel.timeline.pause()
    panel.timeline.set_step(panel.timeline.reached)
    return panel


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def seen(generate: Generate) -> list[Sampled]:
    sketches: list[Sampled] = []
    generate.sketched.connect(sketches.append)
    return sketches


def rest(generate: Generate) -> None:
    """The hand rests."""
    assert generate._soon.isActive()
    generate._soon.stop()
    generate._soon.timeout.emit()


def test_digits_follow_a_slider_and_are_drawn_exactly_once_it_rests(panel: GeneratePage, qtbot: QtBot) -> None:
    generate = panel._generate
    sketches, before, default = seen(generate), generate.trajectory, generate.settings.guidance
    for value in (120, 180, 240):
        panel.sampling.guidance.slider.setValue(value)
    until(qtbot, lambda: sketches and sketches[-1].request.guidance == generate.settings.guidance)
    assert generate.trajectory is before  # what was drawn stays until the hand rests
    assert np.array_equal(panel.grid.images(), sketches[-1].images)
    assert not any(caption.text for caption in panel.grid._captions)
    rest(generate)
    until(qtbot, lambda: generate.trajectory is not before and generate.verdict is not None and not generate.busy)
    exact = generate.sampled
    assert exact is not None and exact.request.guidance == generate.settings.guidance != default
    *_, wanted = pipeline.sample(generate.settings.request(tuple(range(10))), frames=False)
    assert isinstance(wanted, Sampled) and np.array_equal(exact.images, wanted.images)
    assert 0 < np.abs(sketches[-1].images.astype(float) - exact.images).mean() < 8  # by the optimized network
    assert np.array_equal(panel.grid.images(), exact.images)


def test_sketches_are_prepared_in_the_quiet_and_nobody_is_told(
    panel: GeneratePage, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, formed: list[bool]
) -> None:
    told: list[object] = []
    window.session.context.message.connect(told.append)
    monkeypatch.setattr("desktop_app.viewmodels.context.QUIET_S", -1)  # it is quiet as soon as nothing is done
    generate, session = panel._generate, window.session
    sketches, making, wanted = seen(generate), generate._live_preview, generate.requested()
    assert not formed and wanted
    making.warm_up(wanted, making.by_student(wanted))
    making._soon.stop()
    making._soon.timeout.emit()
    until(qtbot, lambda: (STUDENT, min(len(wanted.labels), MANY)) in making._warming and session.context.at_rest)
    assert len(formed) == 2 and not told and not sketches
    generate.change(guidance=2.0)
    until(qtbot, lambda: sketches)
    assert len(formed) == 2 and len(sketches[0].images) == len(generate.row())
    generate.stop()
