"""The pages, in the order of the rail. A page's settings are the field of `AppSettings` that has the page's key."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from desktop_app.pages.base import Page


@dataclass(frozen=True)
class PageSpec:
    """What is known of a page before it is made."""

    key: str
    title: str
    icon: str
    tip: str
    view: str  # "module.Class"; named, not imported: some pages need pyqtgraph, and the window comes first

    def view_class(self) -> Callable[..., Page]:
        """The class of the page's widget; imports its module."""
        module, _, name = self.view.rpartition(".")
        return getattr(import_module(module), name)


PAGES = (
    PageSpec(
        key="generate",
        title="Generate",
        icon="image",
        tip="Generate digits and watch them emerge from noise",
        view="desktop_app.pages.generate.GeneratePanel",
    ),
    PageSpec(
        key="train",
        title="Train",
        icon="chart-line-up",
        tip="Train your own model and watch it learn",
        view="desktop_app.pages.train.TrainPanel",
    ),
    PageSpec(
        key="interpolate",
        title="Interpolate",
        icon="intersect",
        tip="Blend between digits and mix classes",
        view="desktop_app.pages.interpolate.InterpolatePanel",
    ),
    PageSpec(
        key="draw",
        title="Draw",
        icon="pencil-simple",
        tip="Draw a digit, then vary, complete, rebuild or recognize it",
        view="desktop_app.pages.draw.DrawPanel",
    ),
    PageSpec(
        key="compare",
        title="Compare",
        icon="columns",
        tip="Compare settings side by side on the same noise",
        view="desktop_app.pages.compare.ComparePanel",
    ),
    PageSpec(
        key="explore",
        title="Explore",
        icon="compass",
        tip="See how noise is added, compare schedules, and open lessons",
        view="desktop_app.pages.explore.ExplorePanel",
    ),
    PageSpec(
        key="models",
        title="Models",
        icon="cube",
        tip="Browse your models: their cards, scores and files",
        view="desktop_app.pages.models.ModelsPanel",
    ),
)
PAGE_KEYS = tuple(page.key for page in PAGES)


def spec_of(key: str) -> PageSpec:
    """The page with a key; raises KeyError."""
    return _BY_KEY[key]


_BY_KEY = {page.key: page for page in PAGES}
