"""The data before a run: what is in them, how the model will see them, and what is left out."""

from collections.abc import Iterator

from desktop_app.tasks.data import NotReadable
from desktop_app.text.display_names import data_title
from desktop_app.text.formatting import count
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.train import Train
from desktop_app.viewmodels.training_data import ALL
from desktop_app.widgets.controls.class_list import Entry
from desktop_app.widgets.images.data_card import DataCard, Note
from ml.data.survey import Some, Survey
from ml.specs import DATASETS, IMAGE_FOLDER

DOWNLOAD, IMAGES, FOLDER, AGAIN = "download", "images", "folder", "again"
OWN_IMAGES = (IMAGES, "Your own images…")
FIRST = 3  # names of files in a sentence
HARMLESS = ("hidden files and folders", "files of other kinds")  # reasons to leave out what is hardly meant


class DataView(DataCard):
    """Binds the card to the view-model of the data."""

    def __init__(self, train: Train, context: AppContext) -> None:
        super().__init__()
        self._train, self._data, self._context = train, train.data, context
        self.classChosen.connect(self._data.show_class)
        self.wall.cellClicked.connect(self._choose_class_of)
        self.wall.shownChanged.connect(self._show_caption)
        self._data.changed.connect(self.show_data)
        train.state_changed.connect(self.show_data)
        self.show_data()

    def _choose_class_of(self, cell: int) -> None:
        """Show the class of a clicked image, or all classes again."""
        label = self._data.labels[self.wall.shown[cell]]
        self._data.show_class(label if self._data.shown_class == ALL else ALL)

    def show_data(self) -> None:
        """Show the data as far as they are known."""
        data, survey = self._data, self._data.survey
        if survey is None:
            self.clear()
            self._show_panel()
            return
        self.set_stats(stats_of(survey))
        entries = [Entry(one.name, one.train, one.held_out) for one in survey.classes]
        self.set_classes(Entry("All classes", survey.train, survey.held_out), entries)
        self.classes.choose(data.shown_class)
        self.show_wall(data.pictures, whole=len(data.labels) >= _total(survey, data.shown_class)[0])
        self._show_caption()
        self.notes.set_notes(tuple(notes_of(survey)))
        idle = data.state == "here" and not self._train.active
        self.again_link.setVisible(data.choice.name.startswith(IMAGE_FOLDER) and idle)
        self.other_link.setVisible(not self._train.active)

    def _show_caption(self) -> None:
        """Say how many images are shown of how many, or how far reading is."""
        data, survey, shown = self._data, self._data.survey, len(self.wall.shown)
        if survey is None:
            return
        if data.state == "reading":
            self.caption.set_text(f"{progress_words(*data.doing)}…")
        else:
            total, of = _total(survey, data.shown_class)
            some = f"{count(total, 'image')}{of}" if shown >= total else f"{shown:,} of {count(total, 'image')}{of}"
            self.caption.set_text(f"{some}, as the model will see {'it' if total == 1 else 'them'}")

    def _show_panel(self) -> None:
        data, title = self._data, data_title(self._data.choice.name)
        problem = data.problem
        if data.state == "not here":
            size = DATASETS[data.choice.name].size
            text = (
                f"Start downloads it once ({size}). You can also download it now and look at it first,\n"
                "or drop a folder of images here to train on your own."
            )
            actions = ((DOWNLOAD, f"Download ({size})"), (FOLDER, "Choose its folder…"), OWN_IMAGES)
            self.show_panel("cloud-arrow-down", f"{title} is not on this machine yet", text, actions)
        elif isinstance(problem, NotReadable):
            actions = ((AGAIN, "Try again"), OWN_IMAGES)
            self.show_panel("folder-open", problem.message, problem.what_to_do, actions)
        elif data.state == "reading":
            words, share = data.doing
            self.show_panel("image", title, f"{words}…", progress=-1 if share is None else share)
        elif self._train.active:
            self.show_panel("image", title, "The images are shown here once the run has ended.")
        else:
            self.show_panel("image", title, "")


def _total(survey: Survey, label: int) -> tuple[int, str]:
    """The number of images of a class, and the words that name it; of all classes without words."""
    if label == ALL:
        return survey.train + survey.held_out, ""
    chosen = survey.classes[label]
    return chosen.train + chosen.held_out, f" of “{chosen.name}”"


def progress_words(what: str, share: float | None) -> str:
    """What is done, and how much of it."""
    return what if share is None else f"{what}: {share:.0%}"


def stats_of(survey: Survey) -> dict[str, tuple[str, str, str]]:
    """The figures of a survey: label, value, tooltip."""
    sizes = "\n".join(f"{size.width} × {size.height}: {count(size.count, 'image')}" for size in survey.sizes[:10])
    more = f"\nand {len(survey.sizes) - 10:,} other sizes" if len(survey.sizes) > 10 else ""
    left_out = sum(some.count for some in survey.left_out)
    first = survey.sizes[0] if survey.sizes else None
    return {
        "images": ("Images", f"{survey.train:,}", ""),
        "held_out": ("Held out", f"{survey.held_out:,}", ""),
        "classes": ("Classes", f"{len(survey.classes):,}", ""),
        "size": (
            "Size found" if len(survey.sizes) < 2 else f"Most of {len(survey.sizes):,} sizes",
            f"{first.width} × {first.height}" if first else "–",
            sizes + more,
        ),
        "read": (
            "Read in colour" if survey.channels == 3 else "Read in grey",
            f"{survey.side} × {survey.side}",
            "",
        ),
        "left_out": ("Left out", f"{left_out:,}", ""),
    }


def notes_of(survey: Survey) -> Iterator[Note]:
    """What is to be known about data, in sentences, the gravest first."""
    for warning in survey.warnings:
        yield Note("warning", warning)
    for some in survey.left_out:
        tone = "info" if some.reason in HARMLESS else "warning"
        yield Note(tone, f"{some.count:,} left out: {some.reason}{_first(some)}.", _names(some))
    small = survey.smaller
    if 0 < 2 * small.count <= survey.train + survey.held_out:  # of more there is a warning
        are = "is" if small.count == 1 else "are"
        words = f"{count(small.count, 'image')} {are} smaller than {survey.side} × {survey.side} and {are} enlarged"
        yield Note("info", f"{words}{_first(small)}.", _names(small))
    if survey.transparent:
        has = "has" if survey.transparent == 1 else "have"
        yield Note("info", f"{count(survey.transparent, 'image')} {has} transparent parts, shown on {survey.ground}.")


def _first(some: Some) -> str:
    """The first names, in brackets."""
    names = some.first[:FIRST]
    more = ", …" if some.count > len(names) else ""
    return f" ({', '.join(names)}{more})" if names else ""


def _names(some: Some) -> str:
    """The names, one below the other."""
    return "\n".join([*some.first, "…"] if some.count > len(some.first) else some.first)
