"""The pages, in the order of the rail. A page's settings are the field of `AppSettings` that has the page's key."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from desktop_app.pages.base import Page
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.draw import Draw
from desktop_app.viewmodels.explore import Explore
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.interpolate import Interpolate
from desktop_app.viewmodels.models import Models
from desktop_app.viewmodels.session import ViewModelFactory
from desktop_app.viewmodels.train import Train


@dataclass(frozen=True)
class PageSpec:
    """A page: what the rail shows, and how its view-model and its widget are made.

    The view-model is made from (context, settings), the widget from (view-model, context).
    """

    key: str
    title: str
    icon: str
    tip: str
    viewmodel: ViewModelFactory
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
        tip="Generate images and watch them emerge from noise",
        viewmodel=Generate,
        view="desktop_app.pages.generate.GeneratePage",
    ),
    PageSpec(
        key="train",
        title="Train",
        icon="chart-line-up",
        tip="Train your own model and watch it learn",
        viewmodel=Train,
        view="desktop_app.pages.train.TrainPage",
    ),
    PageSpec(
        key="interpolate",
        title="Interpolate",
        icon="intersect",
        tip="Blend between images and mix classes",
        viewmodel=Interpolate,
        view="desktop_app.pages.interpolate.InterpolatePage",
    ),
    PageSpec(
        key="draw",
        title="Draw",
        icon="pencil-simple",
        tip="Draw an image, then vary, complete, rebuild or recognize it",
        viewmodel=Draw,
        view="desktop_app.pages.draw.DrawPage",
    ),
    PageSpec(
        key="compare",
        title="Compare",
        icon="columns",
        tip="Compare settings side by side on the same noise",
        viewmodel=Compare,
        view="desktop_app.pages.compare.ComparePage",
    ),
    PageSpec(
        key="explore",
        title="Explore",
        icon="compass",
        tip="See how noise is added, compare schedules, and open lessons",
        viewmodel=Explore,
        view="desktop_app.pages.explore.ExplorePage",
    ),
    PageSpec(
        key="models",
        title="Models",
        icon="cube",
        tip="Browse your models: their cards, scores and files",
        viewmodel=Models,
        view="desktop_app.pages.models.ModelsPage",
    ),
)
PAGE_KEYS = tuple(page.key for page in PAGES)
VIEWMODELS = {page.key: page.viewmodel for page in PAGES}


def spec_of(key: str) -> PageSpec:
    """The page with a key; raises KeyError."""
    return _BY_KEY[key]


_BY_KEY = {page.key: page for page in PAGES}
