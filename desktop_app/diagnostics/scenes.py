"""Every page in a state worth showing, set up in the real window: for the screenshots and the tests.

A scene is a generator: it acts as a user would, and yields the conditions it waits for.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

from desktop_app.pages.base import Page
from desktop_app.pages.compare import ComparePage
from desktop_app.window.main_window import MainWindow

Condition = Callable[[], object]
Scene = Callable[[MainWindow], Iterator[Condition]]
Panel = TypeVar("Panel", bound=Page)
CHOSEN = 4  # the chosen digit
TRAINED_STEPS, PREVIEWS = 60, 3  # of the run in progress
SEVEN = ((8.0, 7.0), (19.0, 7.0), (13.0, 15.0), (11.0, 23.0))
PLACE = (0.3, 0.65)  # on the pad


def generate(window: MainWindow) -> Iterator[Condition]:
    """A digit in the middle of its denoising, with the decision meter."""
    window.rail.set_page("generate")
    session, page = window.session, window.generate
    yield lambda: session.generate.verdict is not None and not session.generate.busy
    page.timeline.pause()
    page.timeline.view.button("noisy").click()
    page.timeline.set_step(session.generate.trajectory.steps // 2)
    page.grid.set_selected(None)
    page.grid.cellClicked.emit(CHOSEN)
    yield lambda: session.context.at_rest


def branch(window: MainWindow) -> Iterator[Condition]:
    """One digit branched into every class from a step in the middle."""
    yield from generate(window)
    session, page = window.session, window.generate
    session.generate.branch_into_classes(CHOSEN, page.timeline.step // 2)
    yield lambda: session.generate.verdict is not None and not session.generate.busy
    page.timeline.pause()
    page.timeline.set_step(session.generate.trajectory.steps)
    yield lambda: session.context.at_rest


def xray(window: MainWindow) -> Iterator[Condition]:
    """The guidance of one digit."""
    yield from generate(window)
    window.generate.timeline.view.button("xray").click()
    yield lambda: window.session.context.at_rest


def data(window: MainWindow) -> Iterator[Condition]:
    """The images of the next run."""
    window.rail.set_page("train")
    yield lambda: window.session.train.data.state == "here"


def train(window: MainWindow) -> Iterator[Condition]:
    """A run in progress, with its previews so far."""
    state = window.session.train
    window.rail.set_page("train")
    state.start()
    yield lambda: state.last is not None and state.last.step >= TRAINED_STEPS and len(state.previews) >= PREVIEWS


def machine(window: MainWindow) -> Iterator[Condition]:
    """The same run, with its preview history."""
    from desktop_app.pages.train import TrainPage

    yield from train(window)
    page = shown(window, TrainPage)
    page.looking.button("past").click()


def interpolate(window: MainWindow) -> Iterator[Condition]:
    """A position between four corners, and the walk around them."""
    window.rail.set_page("interpolate")
    state = window.session.interpolate
    state.change(mode="pad", place=PLACE)
    yield lambda: state.map is not None and state.loop is not None and state.image is not None
    yield lambda: window.session.context.at_rest


def draw(window: MainWindow) -> Iterator[Condition]:
    """A drawing that was recognised, and rebuilt as each digit."""
    window.rail.set_page("draw")
    state = window.session.draw
    state.change(task="rebuild")
    state.clear()
    state.begin_stroke()
    for (x0, y0), (x1, y1) in itertools.pairwise(SEVEN):
        for k in range(20):
            state.dab(x0 + (x1 - x0) * k / 20, y0 + (y1 - y0) * k / 20)
    state.recognise()
    yield lambda: not state.busy
    state.make()
    yield lambda: not state.busy


def compare(window: MainWindow) -> Iterator[Condition]:
    """A grid of settings, with two cells overlaid."""
    window.rail.set_page("compare")
    state = window.session.compare
    state.change(mode="grid")
    yield lambda: window.session.context.models
    state.compare()
    yield lambda: not state.busy
    for index in (0, len(state.cells) - 1):
        state.choose(index)


def race(window: MainWindow) -> Iterator[Condition]:
    """A race in progress."""
    window.rail.set_page("compare")
    state = window.session.compare.race
    window.session.compare.change(mode="race")
    yield lambda: window.session.context.models
    state.start()
    yield lambda: not state.busy
    timeline = shown(window, ComparePage).lanes.timeline
    timeline.pause()
    timeline.set_step(state.length * 2 // 3)


def explore(window: MainWindow) -> Iterator[Condition]:
    """An image in the forward process."""
    from desktop_app.pages.explore import ExplorePage

    window.rail.set_page("explore")
    yield lambda: window.session.explore.noisings and window.session.context.at_rest
    slider = shown(window, ExplorePage).forward.slider
    slider.setValue(slider.maximum() // 3)


def models(window: MainWindow) -> Iterator[Condition]:
    """All models with their previews."""
    window.rail.set_page("models")
    window.session.models.look()
    yield lambda: window.session.context.at_rest


def shown(window: MainWindow, kind: type[Panel]) -> Panel:
    """The page on top."""
    page = window.page(window.rail.page())
    assert isinstance(page, kind)
    return page


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (generate, branch, xray, data, train, machine, interpolate, draw, compare, race, explore, models)
}
