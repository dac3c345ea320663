"""Files leave the window whole or not at all, and what Noiseloom wrote comes back as it was."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.draw import DrawPage
from desktop_app.pages.explore import ExplorePage
from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.pages.train import TrainPage
from desktop_app.settings import AppSettings
from desktop_app.theme.controller import theme
from desktop_app.viewmodels.notification import Message
from desktop_app.widgets.plots.plot_button import PlotButton
from desktop_app.window.main_window import MainWindow
from ml.cli.app import main as cli
from ml.config import Corner, SampleRequest
from ml.events import Pixels, Sampled
from ml.experiments.comparison_figure import save_race
from ml.export import files as export
from ml.export.formats import FORMATS
from ml.export.metadata import Layout
from ml.imaging.embedded_png import to_text
from tests.app.conftest import Opener
from tests.patience import WAIT_MS

REQUEST = SampleRequest(model="tiny", labels=(3, 1, 4, 1, 5, 9), seed=11, steps=3, guidance=2.0)
LAYOUT = Layout(columns=3, scale=2)


def drawn(request: SampleRequest) -> tuple[SampleRequest, Pixels]:
    from ml.generation.pipeline import sample

    done = next(event for event in sample(request) if isinstance(event, Sampled))
    return done.request, done.images


def drop(window: MainWindow, path: Path) -> bool:
    """Let a file fall onto the middle of the window, as a file manager does; whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    middle, copy, button = window.rect().center(), Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(middle, copy, data, button, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, enter)
    if enter.isAccepted():
        event = QDropEvent(QPointF(middle), copy, data, button, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(window, event)
        return event.isAccepted()
    return False


def answer(window: MainWindow, qtbot: QtBot, path: Path) -> Message:
    """What the window says after a file fell onto it."""
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS) as told:
        assert drop(window, path)
    qtbot.waitUntil(lambda: not window.session.generate.busy and not window.session.context.files.busy, timeout=WAIT_MS)
    assert told.args
    return told.args[0]


def painted_over(path: Path) -> Path:
    """A figure that another program has painted over, which kept what the file says of itself."""
    with Image.open(path) as figure:
        pixels, text = np.array(figure), figure.info["noiseloom"]
    pixels[60:80, 60:200] = 0
    chunk = PngInfo()
    chunk.add_text("noiseloom", text)
    forged = path.with_stem("forged")
    Image.fromarray(pixels).save(forged, pnginfo=chunk)
    return forged


# ---- opening


@pytest.mark.parametrize("page", PAGE_KEYS)
def test_a_file_that_falls_on_any_page_is_back_as_it_was(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, page: str
) -> None:
    request, images = drawn(REQUEST)
    export.save(tmp_path / "x.png", images, request, LAYOUT)
    window.rail.set_page(page)
    message = answer(window, qtbot, tmp_path / "x.png")
    assert (message.tone, message.title) == ("success", "Restored x.png")
    assert "the same pixels" in message.what_to_do
    generate = window.session.generate
    assert window.rail.page() == "generate"
    assert generate.request == request and generate.columns == 3
    assert generate.sampled is not None and np.array_equal(generate.sampled.images, images)
    settings = generate.settings
    assert (settings.seed, settings.steps, settings.guidance, settings.model) == (11, 3, 2.0, "tiny")
    assert (settings.prompt, settings.rows) == ("314", 2)
    assert window.generate.prompt.text() == "314"


def test_a_walk_and_a_drawing_go_back_to_their_pages_too(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    corners = tuple(Corner(seed=seed, label=seed) for seed in (1, 2, 3, 4))
    weights = tuple((1.0, k / 4, 0.0, 0.5) for k in range(5))
    walk = REQUEST.with_changes(labels=(-1,) * 5, corners=corners, weights=weights)
    request, images = drawn(walk)
    layout = Layout(columns=1, kind="walk")
    export.save(tmp_path / "x.gif", images, request, layout, [images[k : k + 1] for k in range(5)])
    message = answer(window, qtbot, tmp_path / "x.gif")
    assert message.tone == "success" and "Interpolate" in message.what_to_do
    assert window.session.generate.request == request
    assert window.session.interpolate.settings.corners == corners
    sketch = np.zeros((28, 28), np.uint8)
    sketch[8:20, 14] = 255
    own = {"source": to_text(sketch), "vary_from": 2.0, "labels": (1, 1)}
    request, images = drawn(REQUEST.with_changes(**own))
    export.save(tmp_path / "x.png", images, request, LAYOUT)
    message = answer(window, qtbot, tmp_path / "x.png")
    assert message.tone == "success" and "Draw page" in message.what_to_do
    assert np.array_equal(window.session.draw.drawing, sketch)
    assert (window.session.draw.settings.label, window.session.draw.settings.vary_from) == (1, 2.0)


def test_a_file_of_the_draw_page_is_back_there(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    draw = window.session.draw
    before = window.session.generate.request
    sketch = np.zeros((28, 28), np.uint8)
    sketch[5:23, 13:15] = 255
    films = {"vary": (".png", ".mp4"), "complete": (".gif",), "rebuild": (".png", ".webp")}
    for task, suffix in ((task, suffix) for task, suffixes in films.items() for suffix in suffixes):
        draw.take(sketch)
        draw.mark_half()
        draw.change(task=task, label=1, vary_from=1.5)
        draw.make()
        qtbot.waitUntil(lambda: not draw.busy, timeout=WAIT_MS)
        assert draw.sampled is not None
        made, own, path = draw.sampled, draw.settings, tmp_path / f"{task}{suffix}"
        with qtbot.waitSignal(draw.exported, timeout=WAIT_MS):
            draw.export(path, labelled=task == "vary")
        if FORMATS[suffix].animated:
            assert cli(["verify", str(path)]) == 0 and export.read_stamp(path).layout.kind == "x_t"
        draw.clear()
        draw.change(task="vary", label=-1, vary_from=3.0)
        message = answer(window, qtbot, path)
        assert (message.tone, window.rail.page()) == ("success", "draw") and "the same pixels" in message.what_to_do
        assert np.array_equal(draw.drawing, sketch) and draw.settings.task == task
        assert draw.sampled is not made and np.array_equal(draw.sampled.images, made.images)
        assert draw.settings.label == 1 or task == "rebuild"
        assert draw.settings == own or task != "vary"
        window.rail.set_page("generate")
    assert window.session.generate.request is before


def test_a_file_of_the_interpolate_page_is_back_there(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    state = window.session.interpolate
    window.rail.set_page("interpolate")
    qtbot.waitUntil(lambda: state.loop is not None and state.shown is not None, timeout=WAIT_MS)
    for mode, suffix in (("pad", ".gif"), ("path", ".npz"), ("pad", ".png"), ("classes", ".png")):
        state.change(mode=mode, place=(0.25, 0.75), model="tiny")
        qtbot.waitUntil(lambda: window.session.context.at_rest and not state._rest.isActive(), timeout=WAIT_MS)
        own, path = state.settings, tmp_path / f"{mode}{suffix}"
        with qtbot.waitSignal(state.exported, timeout=WAIT_MS):
            (state.export_image if suffix == ".png" else state.export)(path)
        state.change(mode="pad", place=(0.0, 0.0), stops=own.stops[:2], shares=[1.0] * 10, seed=1)
        state.new_seeds()
        window.rail.set_page("generate")
        message = answer(window, qtbot, path)
        assert (message.tone, window.rail.page()) == ("success", "interpolate")
        assert "the same pixels" in message.what_to_do
        assert state.settings.mode == mode and (mode != "classes" or state.settings.shares == own.shares)
        assert (state.settings.place == own.place) == (suffix == ".png" and mode == "pad")
        assert state.settings.stops == own.stops or mode != "path"


def test_a_figure_of_a_comparison_is_back_on_its_page(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    compare, path = window.session.compare, tmp_path / "figure.png"
    own = {"rows": "steps", "columns": "label", "values": {"steps": "2, 3", "label": "1, 8"}, "each": 2}
    compare.change(mode="grid", model="tiny", seed=9, **own)
    compare.compare()
    qtbot.waitUntil(lambda: not compare.busy, timeout=WAIT_MS)
    settings, cells = compare.settings, compare.cells
    compare.export(path)
    qtbot.waitUntil(lambda: "figure.png" in window.messages.title(), timeout=WAIT_MS)
    compare.change(rows="seed", columns="", seed=1, model="digits", each=1, values={"steps": "5"})
    message = answer(window, qtbot, path)
    assert (message.tone, window.rail.page()) == ("success", "compare")
    assert "the same pixels in every cell" in message.what_to_do
    assert compare.settings == settings and compare.cells is not cells
    message = answer(window, qtbot, painted_over(path))
    assert message.tone == "warning" and "differ" in message.what_to_do


def test_a_figure_of_a_race_starts_it_again(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    compare, race, path = window.session.compare, window.session.compare.race, tmp_path / "race.png"
    lanes = [{"model": "tiny", "steps": steps, "sampler": sampler} for steps, sampler in ((3, "dpm++"), (4, "ddim"))]
    compare.change(mode="race", lanes=lanes, seed=8, digits="3, 5")
    settings = compare.settings
    race.start()
    qtbot.waitUntil(lambda: not race.busy, timeout=WAIT_MS)
    requests = race.requests
    save_race(path, np.asarray(race.figure(2, clean=False)(4)), requests)
    compare.change(mode="grid", lanes=[*reversed(lanes), lanes[0]], seed=1, digits="0-9")
    message = answer(window, qtbot, path)
    assert (message.tone, window.rail.page()) == ("success", "compare") and "race of 2" in message.what_to_do
    assert compare.settings == settings and race.requests == requests and race.busy
    qtbot.waitUntil(lambda: not race.busy, timeout=WAIT_MS)
    message = answer(window, qtbot, painted_over(path))
    assert message.tone == "warning" and "other pixels" in message.what_to_do
    assert cli(["verify", str(path)]) == 0 and cli(["verify", str(painted_over(path))]) == 1


def test_a_branch_is_drawn_as_it_was(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    branch = REQUEST.with_changes(parent=REQUEST, branch_at=1, labels=(8,) * 6)
    request, images = drawn(branch)
    export.save(tmp_path / "x.svg", images, request, LAYOUT)
    message = answer(window, qtbot, tmp_path / "x.svg")
    assert message.tone == "success" and "branch" in message.what_to_do
    assert window.session.generate.request == request


def test_a_picture_that_is_not_ours_is_one_to_draw_on(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:16] = 200
    Image.fromarray(picture).save(tmp_path / "x.png")
    window.rail.set_page("draw")
    assert drop(window, tmp_path / "x.png")
    qtbot.waitUntil(lambda: not window.session.draw.empty, timeout=WAIT_MS)
    panel = window.page("draw")
    assert isinstance(panel, DrawPage) and np.array_equal(window.session.draw.drawing, picture)
    assert window.rail.page() == "draw"
    qtbot.waitUntil(lambda: not window.session.context.files.busy, timeout=WAIT_MS)


def test_ctrl_o_asks_for_a_file(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, images = drawn(REQUEST)
    export.save(tmp_path / "x.png", images, request, LAYOUT)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "x.png"), ""))
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    assert window.session.generate.request == request


def test_text_that_is_dragged_is_no_file(window: MainWindow) -> None:
    data = QMimeData()
    data.setText("seven")
    event = QDragEnterEvent(
        window.rect().center(),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(window, event)
    assert not event.isAccepted() and not window.generate.prompt.edit.acceptDrops()


# ---- writing


def test_a_long_export_tells_how_far_it_is_and_is_stopped(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    files = window.session.context.files
    film = [np.full((4, 28, 28), k % 256, np.uint8) for k in range(3000)]
    written: list[Path] = []
    request = REQUEST.with_changes(labels=(1, 2, 3, 4))
    for name in ("x.mp4", "x.gif"):
        layout = Layout(columns=2, scale=8, kind="x_t")
        files.write(tmp_path / name, film[-1], request, layout, film, then=written.append)
        qtbot.waitUntil(lambda: (files.doing[1] or 0) > 0.01, timeout=WAIT_MS)
        assert files.doing[0] == f"Writing {name}" and name in window.status.job_text()
        window.stop()
        qtbot.waitUntil(lambda: not files.busy, timeout=WAIT_MS)
        assert [path.name for path in tmp_path.iterdir()] == ["home"] and written == []


def test_the_scale_is_remembered(opened: Opener, settings: AppSettings, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(settings.with_changes(export_scale=8))
    qtbot.waitUntil(lambda: window.session.generate.can_export, timeout=WAIT_MS)
    panel = window.generate
    panel.export_menu.scaleChosen.emit(2)
    with qtbot.waitSignal(window.session.generate.exported, timeout=WAIT_MS):
        panel.export_to(tmp_path / "x.png")
    assert export.read_request(tmp_path / "x.png")[1].scale == 2
    assert window.remember().export_scale == 2 and settings.export_scale == 4


def test_every_page_exports_at_the_scale_of_the_settings(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = lambda _parent, _title, name, _: (str(tmp_path / Path(name).name), "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", named)
    session, sizes = window.session, {}
    window.show()
    session.draw.take(np.eye(28, dtype=np.uint8) * 255)
    session.draw.make()
    session.compare.change(mode="grid", model="tiny", rows="steps", columns="", values={"steps": "2, 3"}, digits="4")
    session.compare.compare()
    session.explore.change(tab="questions")
    session.explore.ask("schedule")
    window.rail.set_page("interpolate")
    session.interpolate.change(mode="classes", model="tiny")
    qtbot.waitUntil(lambda: session.context.at_rest and not session.interpolate._rest.isActive(), timeout=WAIT_MS)
    for scale in (4, 8):
        window.show_settings().scale.valueChanged.emit(str(scale))
        for key in ("generate", "draw", "compare", "explore", "interpolate"):
            window.rail.set_page(key)
            before = set(tmp_path.glob("*.png"))
            window.page(key).export_shown()
            window.generate.export() if key == "generate" else None
            qtbot.waitUntil(lambda: not session.context.files.busy, timeout=WAIT_MS)
            (path,) = set(tmp_path.glob("*.png")) - before
            with Image.open(path) as picture:
                sizes[key, scale] = picture.width * picture.height
            assert export.read_request(path)[1].scale == scale
            if key in ("compare", "explore", "interpolate"):
                assert cli(["verify", str(path)]) == 0
    assert all(sizes[key, 8] > 1.3 * sizes[key, 4] for key, _ in sizes)
    assert sizes["interpolate", 8] == (28 * 8) ** 2


# ---- plots


@pytest.fixture
def train(window: MainWindow) -> TrainPage:
    """A Train page with the curves of a run, in the dark."""
    panel = window.page("train")
    assert isinstance(panel, TrainPage)
    steps = np.arange(1.0, 200.0)
    panel.plot.set_run("one & two", steps, 1 / steps, 1 / np.sqrt(steps))
    panel.plot.add_held_out("one & two", 100, 0.3)
    for step in range(1, 20):
        panel.noise_map.append(step, tuple(level / step for level in range(1, 11)))
    window.rail.set_page("train")
    window.show()
    return panel


def saved(button: PlotButton, path: Path) -> Path:
    button.export_to(path)
    return path


def test_plots_are_written_as_vectors_in_light_colours(
    train: TrainPage, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    theme().set_mode("dark")
    qtbot.waitUntil(train.plot.export.isEnabled, timeout=WAIT_MS)
    explore = window.page("explore")
    assert isinstance(explore, ExplorePage)
    window.rail.set_page("explore")
    qtbot.waitUntil(explore.export.isEnabled, timeout=WAIT_MS)
    buttons = {"loss": train.plot.export, "noise": train.noise_map.export, "schedules": explore.export}
    for name, button in buttons.items():
        with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS) as told:
            svg = saved(button, tmp_path / f"{name}.svg")
        assert told.args and told.args[0].tone == "success"
        texts = [text.text for text in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
        assert {"loss": "Loss over training", "noise": "Loss by noise level", "schedules": "cosine"}[name] in texts
        assert QSvgRenderer(str(svg)).isValid()
        pdf = saved(button, tmp_path / f"{name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF") and b"/Font" in pdf
        assert (b"/Subtype /Image" in pdf) == (name == "noise")
        picture = QImage(str(saved(button, tmp_path / f"{name}.png")))
        assert picture.pixelColor(2, 2).name() == "#ffffff" and picture.width() >= 1120
    theme().set_mode("system")


def test_words_of_a_plot_lie_inside_it(train: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    for k in range(4):
        train.plot.set_run(f"a-run-with-quite-a-long-name-{k}", *np.ones((3, 5)) * (k + 1))
    qtbot.waitUntil(train.plot.export.isEnabled, timeout=WAIT_MS)
    image = QImage(str(saved(train.plot.export, tmp_path / "x.png"))).convertToFormat(QImage.Format.Format_Grayscale8)
    bits = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    ink = bits[:, : image.width()] < 250
    assert ink.any() and not ink[:8].any() and not ink[-8:].any() and not ink[:, :8].any() and not ink[:, -8:].any()


def test_curves_are_written_as_numbers(train: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    qtbot.waitUntil(train.plot.export.isEnabled, timeout=WAIT_MS)
    lines = saved(train.plot.export, tmp_path / "x.csv").read_text().splitlines()
    assert lines[0] == "plot,curve,step,value,made by" and '""runs""' in lines[1]
    assert lines[2] == 'Loss over training,"one & two, each batch",2,0.5,'
    assert len(lines) == 1 + 2 * 199 + 1 and lines[-1].endswith('held-out images",100,0.3,')
    by_noise = saved(train.noise_map.export, tmp_path / "n.csv").read_text().splitlines()
    assert by_noise[1].startswith("Loss by noise level,noise 0.0-0.1,1,1,") and len(by_noise) == 1 + 10 * 19


def test_a_plot_that_cannot_be_written_is_told_of(
    train: TrainPage, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS) as told:
        saved(train.plot.export, tmp_path / "no" / "x.svg")
    assert told.args and told.args[0].tone == "error" and "folder does not exist" in told.args[0].title
    assert list(tmp_path.glob("*.svg")) == []


def test_the_menu_of_a_plot_asks_where_to(
    train: TrainPage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda _parent, _title, _name, words: (str(tmp_path / "p"), words)
    )
    qtbot.waitUntil(train.plot.export.isEnabled, timeout=WAIT_MS)
    for action in train.plot.export.menu().actions():
        action.trigger()
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"p.svg", "p.pdf", "p.png", "p.csv"}
