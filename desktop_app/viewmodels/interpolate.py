"""The Interpolate page without its widgets: four corners, a path or all classes, and what lies between them."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.settings import DEFAULT_MODEL, MAX_STOPS, InterpolateSettings
from desktop_app.tasks import draw, sampling
from desktop_app.tasks.draw import OpenedImage
from desktop_app.text.subject import Subject
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.live_preview import LivePreview
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.config import DRAWING_SIDE, NO_LABEL, Corner, SampleRequest
from ml.events import Pixels, Sampled
from ml.export import files
from ml.export.formats import format_of
from ml.export.metadata import Layout
from ml.generation import interpolation_weights
from ml.generation.requests import DDIM_INVERSION
from ml.imaging.embedded_png import to_text
from ml.imaging.pixels import walk

MAP = 5  # images across the pad
LOOP = 24  # images of the walk through the four corners
LEG = 6  # images of a path from one stop to the next
FRAME_MS = 100  # of what is exported
REST_MS = 160  # after the last change, before the model itself draws
KEEP_MS = 1200  # without a change, before an image joins the history
MAX_MIXED = 100  # classes, as many as a request has corners
Points = Literal["corners", "stops"]
Part = Literal["image", "pad", "walk"]  # of the page
DOING: Mapping[Part, str] = {
    "image": "Drawing the image",
    "pad": "Drawing the images in between",
    "walk": "Drawing the walk",
}
CLOCKWISE = (0, 1, 3, 2)  # the corners, from the upper left


class Interpolate(QObject):
    """Observable state of the page. Nothing is drawn before the page is first shown."""

    changed = Signal()  # corners, place, mixture
    drawn = Signal()  # the image of the place
    mapped = Signal()  # the images of the whole pad, and of the walk
    busy_changed = Signal()
    sampled = Signal(object)  # Sampled: an image, or a walk
    exported = Signal(object)  # Path

    def __init__(self, context: AppContext, settings: InterpolateSettings) -> None:
        super().__init__(context)
        self._context = context
        self.settings = settings
        self.shown: Sampled | None = None  # the image of the place
        self.quick = False  # the image is a sketch, drawn while a control moves
        self.map: Pixels | None = None  # (MAP * MAP, H, W[, 3]), row by row
        self.loop: Sampled | None = None
        self._drawing_offered: Pixels | None = None
        self._visible = False
        self._job: Job | None = None
        self._drawing: SampleRequest | None = None
        self._live_preview = LivePreview(context, self)
        self._live_preview.drawn.connect(self._on_sketched)
        self._then_export: tuple[Path, int] | None = None  # the image of the place, once the model has drawn it
        self._maps: list[Job] = []
        self.awaited: set[Part] = set()  # what is being drawn
        self._mapped: tuple[Any, ...] = ()
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._draw_well)
        self._touched = False  # something was changed since the history had the image
        self._settled = QTimer(self, singleShot=True, interval=KEEP_MS)
        self._settled.timeout.connect(self._keep_settled)

    # ---- settings

    def change(self, **changes: object) -> None:
        """Change corners, place or mixture; what is shown follows."""
        new = self.settings.with_changes(**changes)
        if new == self.settings:
            return
        self.settings, self._touched = new, True
        self._settled.stop()
        if self._visible:
            self._draw_quickly()  # first: while the screen follows, it is being drawn
        self.changed.emit()
        if self._visible:
            self._draw_maps()

    @property
    def image(self) -> Pixels | None:
        """The image of the place, (1, H, W[, 3])."""
        return self.shown.images if self.shown else None

    @property
    def points(self) -> tuple[Corner, ...]:
        """The corners of the pad, or the stops of the path, as the model can draw them."""
        return self._fitting(getattr(self.settings, self._points))

    @property
    def corners(self) -> tuple[Corner, ...]:
        """The corners of the pad, as the model can draw them."""
        return self._fitting(self.settings.corners)

    @property
    def stops(self) -> tuple[Corner, ...]:
        """The stops of the path, as the model can draw them."""
        return self._fitting(self.settings.stops)

    def _fitting(self, points: tuple[Corner, ...]) -> tuple[Corner, ...]:
        """Points with classes of the model: another model's settings may have more classes, or images of another size.

        The settings keep theirs, so that the other model finds them again.
        """
        classes = max(len(self.subject.classes), 1)

        def fitting(point: Corner) -> Corner:
            label = point.label % classes if point.label != NO_LABEL else NO_LABEL
            picture = point.picture if self.takes_pictures else ""
            return (
                point
                if (label, picture) == (point.label, point.picture)
                else Corner(seed=point.seed, label=label, picture=picture)
            )

        return tuple(map(fitting, points))

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each class of the model, of the first MAX_MIXED of them."""
        count = min(len(self.subject.classes), MAX_MIXED)
        return (*self.settings.shares, *(0.0,) * count)[:count]

    @property
    def subject(self) -> Subject:
        """What the model draws, in words."""
        return self._context.subject(self.settings.model)

    @property
    def takes_pictures(self) -> bool:
        """Whether an image of a drawing's size can be a corner of the model."""
        return self._context.takes_drawings(self.settings.model)

    @property
    def _points(self) -> Points:
        return "stops" if self.settings.mode == "path" else "corners"

    def set_corner(self, index: int, which: Points | None = None, **changes: object) -> None:
        """Change the seed, label or picture of a corner or a stop."""
        which = which or self._points
        points = list(getattr(self.settings, which))
        if index < len(points):
            points[index] = points[index].with_changes(**changes)
            self.change(**{which: [point.model_dump() for point in points]})

    def add_stop(self, after: int) -> None:
        """Add a stop to the path, with new noise and a random class, after another one."""
        stops = [stop.model_dump() for stop in self.settings.stops]
        if len(stops) < MAX_STOPS:
            label = random.randrange(max(len(self.subject.classes), 1))
            stops.insert(after + 1, {"seed": random.randrange(10_000), "label": label})
            self.change(stops=stops)

    def remove_stop(self, index: int) -> None:
        """Remove a stop; a path keeps at least two."""
        stops = [stop.model_dump() for stop in self.settings.stops]
        if len(stops) > 2:
            del stops[index]
            self.change(stops=stops)

    def new_noise(self, index: int) -> None:
        """New noise for one corner, in place of its picture if it has one."""
        self.set_corner(index, seed=random.randrange(10_000), picture="")

    def new_seeds(self) -> None:
        """New noise for every corner or stop, or for the mixture of classes."""
        points: tuple[Corner, ...] = getattr(self.settings, self._points)
        new = [point.model_dump() | {"seed": random.randrange(10_000), "picture": ""} for point in points]
        self.change(**({"seed": random.randrange(10_000)} if self.settings.mode == "classes" else {self._points: new}))

    def replace_model(self, old: str, new: str) -> None:
        """Use another model if the old one is chosen."""
        if self.settings.model == old:
            self.change(model=new)

    def use_digit(self, index: int, request: SampleRequest, image: Pixels) -> None:
        """Use a generated image as a corner: by its seed if noise and a class determine it, else by its picture.

        An image of other classes brings its model with it.
        """
        plain = not (request.parent or request.corners or request.source) and request.route == "class"
        label = request.labels[0]
        self.change(mode="pad")
        if plain and request.model in self.models and self._context.subject(request.model) != self.subject:
            self.change(model=request.model)
        if plain and request.model == self.settings.model:
            self.set_corner(index, seed=request.seed, label=label, picture="")
        elif image.shape == (DRAWING_SIDE, DRAWING_SIDE):
            if not self.takes_pictures:
                self.change(model=DEFAULT_MODEL)
            self._open(index, partial(draw.classify, image, model=self.settings.model))

    def use_example(self, index: int) -> None:
        """Use a real digit as a corner: a random one of its class, or of any class."""
        label = self.points[index].label
        digit = random.randrange(10) if label == NO_LABEL else label
        root = self._context.data_root
        self._open(index, partial(draw.load_example, digit, random.randrange(10_000), root))

    def offer_drawing(self, drawing: Pixels) -> None:
        """Offer the drawing of the Draw page, (28, 28), as a corner."""
        self._drawing_offered = drawing

    @property
    def can_use_drawing(self) -> bool:
        """Whether there is a drawing, and it is not empty."""
        return self._drawing_offered is not None and bool(self._drawing_offered.any())

    def use_drawing(self, index: int) -> None:
        """Use the drawing on offer as a corner."""
        if self._drawing_offered is not None:
            self._open(index, partial(draw.classify, self._drawing_offered.copy(), model=self.settings.model))

    def use_file(self, index: int, path: Path) -> None:
        """Use an image file as a corner."""
        self._open(index, partial(draw.open_image, path, model=self.settings.model))

    def _open(self, index: int, task: Work) -> None:
        self._context.submit(task, partial(self._on_opened, index, self._points))

    def _on_opened(self, index: int, which: Points, event: object) -> None:
        if isinstance(event, OpenedImage):
            known = {} if event.label == NO_LABEL else {"label": event.label}
            self.set_corner(index, which, picture=to_text(event.image), **known)

    def clear_picture(self, index: int) -> None:
        """Return a corner to the noise of its seed."""
        self.set_corner(index, picture="")

    def set_share(self, label: int, share: float) -> None:
        """Set the share of a class in the mixture, from 0 to 1."""
        shares = [*self.settings.shares, *(0.0,) * (label + 1 - len(self.settings.shares))]
        shares[label] = share
        self.change(shares=shares)

    def restore(self, request: SampleRequest) -> bool:
        """Take over the corners of a request; returns whether the page then makes exactly this request."""
        if not request.corners or request.parent or request.model not in self.models:
            return False
        points = [corner.model_dump() for corner in request.corners]
        first, count = request.weights[0], len(points)
        own: dict[str, object] = {"model": request.model, "mixing": request.mixing}
        closed = len(request.weights) == count * LEG
        mixture = tuple((corner.label, corner.seed, corner.picture) for corner in request.corners)
        classes = min(len(self._context.subject(request.model).classes), MAX_MIXED)
        if mixture == tuple((label, request.corners[0].seed, "") for label in range(classes)) and max(first) <= 1:
            shares = (*first, *self.settings.shares[classes:])
            own |= {"mode": "classes", "seed": request.corners[0].seed, "shares": shares}
        elif request.weights == self._way(count, closed) and count <= MAX_STOPS:
            own |= {"mode": "path", "stops": points, "closed": closed}
        elif count == len(CLOCKWISE):
            own |= {"mode": "pad", "corners": points}
            if len(request.weights) == 1:
                own["place"] = (min(first[1] + first[3], 1.0), min(first[2] + first[3], 1.0))
        else:
            return False
        self.change(**own)
        return request.unhashed in (self.here(), self.walk())

    @property
    def models(self) -> list[str]:
        """The models whose classes can be mixed."""
        cards = self._context.drawing_models
        return [card.name for card in cards if card.header.model.num_classes and not card.header.model.reader]

    # ---- drawing

    @property
    def outdated(self) -> bool:
        """Whether the image or the walk that is shown is of other settings, and nothing is being drawn."""
        path = self.settings.mode == "path"
        drawn, asked = (self.loop, self.walk()) if path else (self.shown, self.here())
        if drawn is None or self.awaited or self._rest.isActive():
            return False
        return not self.quick and drawn.request.unhashed != asked

    def look(self) -> None:
        """Draw what the page shows, when it is first shown."""
        if not self._visible and self._context.models:
            self._visible = True
            self._draw_well()
            self._draw_maps()

    def request(self, weights: tuple[tuple[float, ...], ...], corners: tuple[Corner, ...]) -> SampleRequest | None:
        """Images between corners, by the chosen model at its own settings; None where there is no such model."""
        card = self._context.card(self.settings.model)
        if card is None:
            return None
        own = {"model": card.name, "labels": (NO_LABEL,) * len(weights), "mixing": self.settings.mixing}
        if any(corner.picture for corner in corners):
            own |= dict(DDIM_INVERSION)
        places = {"corners": [corner.model_dump() for corner in corners], "weights": weights}
        return SampleRequest.model_validate(card.header.defaults.model_dump() | own | places)

    def here(self) -> SampleRequest | None:
        """The image of the place: on the pad, or in the mixture of classes; a path has none."""
        settings = self.settings
        if settings.mode == "path":
            return None
        if settings.mode == "pad":
            return self.request((interpolation_weights.place(*settings.place),), self.corners)
        shares = self.shares if sum(self.shares) > 0 else (1.0,) * len(self.shares)
        corners = tuple(Corner(seed=settings.seed, label=label) for label in range(len(shares)))
        return self.request((tuple(shares),), corners)

    def walk(self) -> SampleRequest | None:
        """The walk around the pad's corners, or through the stops of the path; there is none between classes."""
        settings = self.settings
        if settings.mode == "classes":
            return None
        stops = len(settings.stops)
        path = settings.mode == "path"
        way = self._way(stops, settings.closed) if path else interpolation_weights.path(CLOCKWISE, LOOP, loop=True)
        return self.request(way, self.points)

    @staticmethod
    def _way(stops: int, closed: bool) -> interpolation_weights.Weights:
        """Through so many stops, each of them with an image of its own."""
        return interpolation_weights.path(range(stops), stops * LEG if closed else (stops - 1) * LEG + 1, loop=closed)

    @property
    def stop_images(self) -> Pixels | None:
        """The images of the stops, once the walk through them is drawn."""
        drawn = self.loop
        return None if drawn is None or self.settings.mode != "path" else drawn.images[::LEG]

    def _draw_quickly(self) -> None:
        """Draw a sketch, by the student if there is one, and the model's own image after the last change."""
        request = self.here()
        if request is not None:
            self._rest.start()
            self._stop_job()
            self._live_preview.request(self._quickly(request))

    def _quickly(self, request: SampleRequest) -> SampleRequest:
        return self._live_preview.by_student(request) or request

    def _on_sketched(self, sketch: Sampled) -> None:
        self.shown, self.quick = sketch, True
        self.drawn.emit()

    def _draw_well(self) -> None:
        """Draw the image of the place, in place of what is being drawn."""
        request = self.here()
        if request is not None and not self._context.closing:
            self._stop_job()
            self._live_preview.pause()
            task, handler = partial(sampling.sample, request), partial(self._on_drawn, request)
            self._job = self._context.submit(task, handler, title=DOING["image"])
            self._drawing = request
            self._wait("image")

    def _stop_job(self) -> None:
        if self._job:
            self._job.control.cancel()
        self._job = self._drawing = None
        self._wait(no_more="image")

    def _on_drawn(self, request: SampleRequest, event: object) -> None:
        if isinstance(event, Sampled | JobEnded) and request is self._drawing:
            self._wait(no_more="image")
        if isinstance(event, Sampled) and request is self._drawing:
            self._job = self._drawing = None
            self._live_preview.discard()
            self.shown, self.quick = event, False
            self._live_preview.warm_up(self._quickly(request))
            self._settled.start()
            self.drawn.emit()
            self.sampled.emit(event)
            if self._then_export is not None:
                self.export_image(*self._then_export)
                self._then_export = None

    def _draw_maps(self) -> None:
        """Draw the whole pad, and the walk around its corners, after the image of the place."""
        settings = self.settings
        requested = (settings.mode, self.points, settings.closed, settings.mixing, settings.model)
        if settings.mode == "classes" or requested == self._mapped:
            return
        if self._mapped and (self._mapped[0] != settings.mode or len(self._mapped[1]) != len(self.points)):
            self.loop = None  # of another mode or number of points
            self.mapped.emit()
        self._mapped = requested
        for job in self._maps:
            job.control.cancel()
        self._maps = []
        over = self.request(interpolation_weights.pad(MAP, MAP), self.corners) if settings.mode == "pad" else None
        self.awaited -= {"pad", "walk"}
        parts: tuple[tuple[Part, SampleRequest | None, Callable[..., None]], ...]
        parts = (("pad", over, self._on_map), ("walk", self.walk(), self._on_loop))
        for part, request, handler in parts:
            if request is not None and not self._context.closing:
                task, answer = partial(sampling.sample, request), partial(self._on_map_event, part, handler, requested)
                self._maps.append(self._context.submit(task, answer, title=DOING[part]))
                self._wait(part)

    def _on_map_event(
        self, part: Part, handler: Callable[..., None], requested: tuple[object, ...], event: object
    ) -> None:
        """Handle an event of what is drawn beside the image, unless something else is wanted by now."""
        if requested != self._mapped:
            return
        if isinstance(event, Sampled | JobEnded):
            self._wait(no_more=part)
        if isinstance(event, Sampled):
            handler(event)

    # ---- waiting

    @property
    def busy(self) -> bool:
        """Whether something is being drawn."""
        return bool(self.awaited)

    @property
    def doing(self) -> tuple[str, float | None]:
        """What is drawn, without a share that is done."""
        return next((words for part, words in DOING.items() if part in self.awaited), ""), None

    def stop(self) -> None:
        """Stop drawing; what is missing is drawn after the next change."""
        self._rest.stop()
        self._live_preview.stop()
        self._stop_job()
        for job in self._maps:
            job.control.cancel()
        self._maps, self._mapped = [], ()
        self.awaited.clear()
        self.busy_changed.emit()

    def _wait(self, part: Part | None = None, *, no_more: Part | None = None) -> None:
        """Begin or end the wait for a part of the page."""
        before = set(self.awaited)
        self.awaited |= {part} if part else set()
        self.awaited -= {no_more} if no_more else set()
        if self.awaited != before:
            self.busy_changed.emit()

    def _on_map(self, drawn: Sampled) -> None:
        self.map = drawn.images
        self.mapped.emit()

    def _on_loop(self, drawn: Sampled) -> None:
        self.loop = drawn
        self._settled.start()
        self.mapped.emit()
        self.sampled.emit(drawn)

    # ---- history

    def _keep_settled(self) -> None:
        """Add the image of the place, or on a path the walk, to the history after the last change."""
        path = self.settings.mode == "path"
        drawn, requested = (self.loop, self.walk()) if path else (self.shown, self.here())
        if self._touched and drawn is not None and requested is not None and drawn.request.unhashed == requested:
            self._touched = False
            self._keep(drawn)

    def keep_walk(self) -> None:
        """Add the walk to the history, after it was played."""
        walk, requested = self.loop, self.walk()
        if walk is None or walk.request.unhashed != requested:
            return
        if not any(result.images is walk.images for result in self._context.history.results):
            self._keep(walk)

    def _keep(self, drawn: Sampled) -> None:
        settings, shown, loop, over = self.settings, self.shown, self.loop, self.map

        def restore() -> None:
            for timer in (self._rest, self._settled):
                timer.stop()
            self._stop_job()
            self._live_preview.discard()
            self.settings, self._touched, self._mapped = settings, False, ()
            self.shown, self.quick, self.loop, self.map = shown, False, loop, over
            self.changed.emit()
            self.drawn.emit()
            self.mapped.emit()
            self._draw_maps()

        def write(path: Path, scale: int) -> None:
            layout = Layout(columns=min(len(drawn.images), 2 * LEG), scale=scale, gap=0 if drawn is shown else 2)
            files.save(path, drawn.images, drawn.request, layout)

        whole = drawn is shown or settings.mode == "path"  # not a walk beside the image of the place
        is_shown = lambda: whole and self.settings == settings  # noqa: E731
        self._context.history.add(Result("interpolate", drawn.images, is_shown, restore, write))

    # ---- export

    def export_image(self, path: Path, scale: int = 4) -> None:
        """Write the image of the place, drawn by the model itself."""
        if self.quick:
            self._then_export = path, scale
        elif self.shown is not None:
            layout = Layout(columns=1, scale=scale, gap=0)
            write = self._context.files.write
            write(path, self.shown.images, self.shown.request, layout, then=self.exported.emit)

    def export(self, path: Path, scale: int = 4) -> None:
        """Write the walk as an animation or a strip, depending on the suffix of `path`."""
        if self.loop is None:
            return
        is_film = format_of(path).animated
        kind, columns = ("walk", 1) if is_film else ("images", 2 * LEG)
        even = {"first_ms": FRAME_MS, "frame_ms": FRAME_MS, "last_ms": FRAME_MS}
        layout = Layout.model_validate({"columns": columns, "scale": scale, "kind": kind, **even})
        pictures = walk(self.loop.images) if is_film else ()
        write = self._context.files.write
        write(path, self.loop.images, self.loop.request, layout, pictures, then=self.exported.emit)
