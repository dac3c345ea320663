"""The timeline from noise to image: a slider over the computed steps, playback, and the noise level."""

from collections.abc import Collection

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import Space, Type, ui_font
from desktop_app.widgets.controls.basics import Button, Card, Combo, Label, Slider
from desktop_app.widgets.controls.rows import Segmented

STEP_MS = 140  # of one step at normal speed ...
LONGEST_MS = 6000  # ... unless the whole film would last longer than this
SHORTEST_TICK_MS = 16  # faster films skip steps rather than tick more often
HOLD_MS = 900  # on the last step before a loop begins again
SPEEDS = (("0.5×", 0.5), ("1×", 1.0), ("2×", 2.0), ("4×", 4.0))
VIEWS = (("noisy", "noisy"), ("clean", "clean"), ("noise", "noise"), ("all", "all"), ("xray", "x-ray"))
VIEW_TIPS = (
    "xₜ, the image at this step: part noise, part image",
    "x̂₀, the clean image that the network predicts at this step",
    "ε̂, the noise that the network predicts: grey is none, black and white are strong",
    "All three views of one image, side by side",
    "Guidance on one image: the predicted noise with the class, without it, and the difference",
)
NOISE_TIP = "The noise left in the image after each step"


class Timeline(Card):
    """A slider over steps 0..n of which only those computed so far can be reached.

    `begin(steps)` starts a new film, `add_step(step, noise)` makes one more step reachable, and `end()` ends the film
    at the last one. Playback runs on a QTimer of this widget and waits where a step is not computed yet.
    With reduced motion `autoplay` shows the last step at once, and films do not loop; the play button still plays.
    Signals: `stepChanged(step)` however it changed, `playToggled(playing)`, `viewChanged(view)` with one of VIEWS.
    """

    stepChanged = Signal(int)
    playToggled = Signal(bool)
    viewChanged = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Timeline from noise to image")
        self._steps = 0
        self._reached = -1
        self._last = 0  # the step that playing ends with
        self._noise: dict[int, float] = {}
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self.play_button = Button(icon_name="play-fill", kind="tool", name="Play", tip="Play or pause (Space)")
        self.loop_button = Button(kind="tool", name="Loop", tip="Repeat from the start")
        self.loop_button.setCheckable(True)
        self.loop_button.setIcon(icon("repeat-bold", "muted", "accent"))
        self.back_button = Button(kind="tool", name="One step back", tip="Go one step back, towards noise (left arrow)")
        self.back_button.setIcon(icon("caret-left-bold"))
        self.on_button = Button(
            kind="tool", name="One step forward", tip="Go one step forward, towards the image (right arrow)"
        )
        self.on_button.setIcon(icon("caret-right-bold"))
        self.slider = Slider("Step")
        self.slider.setToolTip("Drag to any step between noise and image")
        self.label = Label("no steps yet", "muted")
        self.speed = Combo("Speed")
        for text, factor in SPEEDS:
            self.speed.addItem(text, factor)
        self.speed.setCurrentIndex(1)
        self.speed.setToolTip("Playback speed")
        self.view = Segmented(VIEWS, "noisy", name="View", tips=VIEW_TIPS)
        self.curve = NoiseCurve(self.slider)
        self._arrange()
        self.play_button.clicked.connect(lambda: self.toggle_play())
        self.back_button.clicked.connect(lambda: self.go(-1))
        self.on_button.clicked.connect(lambda: self.go(1))
        self.slider.valueChanged.connect(self._moved)
        self.slider.actionTriggered.connect(lambda _action: self.pause())  # by keyboard or mouse
        self.slider.sliderPressed.connect(self.pause)
        self.curve.scrubbed.connect(self._scrubbed)
        self.view.valueChanged.connect(self.viewChanged)
        self.speed.currentIndexChanged.connect(self._set_pace)
        self.setEnabled(False)

    def _arrange(self) -> None:
        self.label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.speed.setFixedWidth(66)
        grid = QGridLayout(self)
        grid.setContentsMargins(Space.M, 10, Space.M, 10)
        grid.setHorizontalSpacing(Space.S)
        grid.setVerticalSpacing(6)
        for column, widget in enumerate((self.play_button, self.loop_button, self.slider, self.view, self.speed)):
            grid.addWidget(widget, 0, column)
        for column, widget in enumerate((self.back_button, self.on_button, self.curve)):
            grid.addWidget(widget, 1, column)
        grid.addWidget(self.label, 1, 3, 1, 2)
        grid.setColumnStretch(2, 1)

    # ---- steps

    def begin(self, steps: int) -> None:
        """Start a new film of steps 0..`steps`, none of them computed yet."""
        self.pause()
        self._steps, self._last, self._reached = steps, steps, -1
        self._noise.clear()
        self.slider.setRange(0, max(1, steps))
        self.slider.set_limit(0)
        self.slider.setPageStep(max(1, steps // 10))
        self.curve.set_noise({})
        self.curve.set_branch(None)
        self.curve.set_guided(())
        self.setEnabled(False)
        self._describe()

    def add_step(self, step: int, noise: float) -> None:
        """A step was computed; `noise` is its noise level, 1 for pure noise and 0 for none."""
        self._noise[step] = noise
        self._reached = max(self._reached, step)
        self.slider.set_limit(self._reached)
        self.curve.set_noise(self._noise)
        self.setEnabled(True)
        self._describe()

    def set_branch(self, step: int | None) -> None:
        """Mark the step at which the trajectory branched off; None for no branch."""
        self.curve.set_branch(step)

    def set_guided(self, steps: Collection[int]) -> None:
        """Mark the steps in which guidance acts."""
        self.curve.set_guided(steps)

    def end(self) -> None:
        """End the film at the last computed step."""
        self._last = max(0, self._reached)
        self._describe()

    @property
    def steps(self) -> int:
        return self._steps

    @property
    def reached(self) -> int:
        """The highest computed step, -1 before the first."""
        return self._reached

    @property
    def step(self) -> int:
        return self.slider.value()

    def set_step(self, step: int) -> None:
        """Go to a step, or as near to it as has been computed."""
        self.slider.setValue(max(0, min(step, self._reached)))

    def go(self, steps: int) -> None:
        """Pause, and go a number of steps forward, or back if it is negative."""
        self.pause()
        self.set_step(self.step + steps)

    # ---- playing

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def play(self, *, from_start: bool = False) -> None:
        """Play from the current step, or from the start if it is the last."""
        if self._reached < 0 or self.playing:
            return
        if from_start or self.step >= self._last:
            self.set_step(0)
        self._set_pace()
        self._timer.start()
        self._show_playing()

    def autoplay(self) -> None:
        """Play a new film from the start; with reduced motion show the last computed step."""
        if theme().reduced_motion:
            self.set_step(self._reached)
        else:
            self.play(from_start=True)

    def pause(self) -> None:
        if self.playing:
            self._timer.stop()
            self._show_playing()

    def toggle_play(self) -> None:
        self.pause() if self.playing else self.play()

    def _show_playing(self) -> None:
        self.play_button.set_icon("pause-fill" if self.playing else "play-fill")
        self.play_button.setAccessibleName("Pause" if self.playing else "Play")
        self.playToggled.emit(self.playing)

    def _step_ms(self) -> float:
        return min(STEP_MS, LONGEST_MS / max(1, self._steps)) / self.speed.currentData()

    def _set_pace(self) -> None:
        self._timer.setInterval(max(SHORTEST_TICK_MS, round(self._step_ms())))

    def _tick(self) -> None:
        self._set_pace()
        if self.step >= self._last:
            if self.loop_button.isChecked() and not theme().reduced_motion:
                self.set_step(0)
            else:
                self.pause()
            return
        self.set_step(self.step + max(1, round(self._timer.interval() / self._step_ms())))
        if self.step >= self._last:
            self._timer.setInterval(HOLD_MS if self.loop_button.isChecked() else 0)

    # ---- keyboard and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays and pauses, left and right go one step."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() == Qt.Key.Key_Space:
            self.toggle_play()
        elif event.key() in steps:
            self.go(steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def _scrubbed(self, x: float) -> None:
        self.pause()
        self.set_step(self.slider.value_at(x))

    def _moved(self, step: int) -> None:
        self._describe()
        self.curve.update()
        self.stepChanged.emit(step)

    def _describe(self) -> None:
        if self._reached < 0:
            text = "waiting for the first step…" if self._last else "no steps yet"
        else:
            noise = self._noise.get(self.step)
            text = f"step {self.step} of {self._steps}" + (f" · {noise:.0%} noise" if noise is not None else "")
        self.label.setText(text)
        self.slider.setAccessibleDescription(text)


class NoiseCurve(QWidget):
    """The noise level over the steps, under a slider, with a cursor at the slider's handle."""

    scrubbed = Signal(float)  # x in the slider's coordinates

    def __init__(self, slider: Slider) -> None:
        super().__init__()
        self._slider = slider
        self._noise: dict[int, float] = {}
        self._branch: int | None = None
        self._guided: Collection[int] = ()
        self.setAccessibleName("Noise level over the steps")
        self.setToolTip(NOISE_TIP)
        self.setFixedHeight(44)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def set_noise(self, noise: dict[int, float]) -> None:
        """Show the noise level of each step so far."""
        self._noise = noise
        self.update()

    def set_branch(self, step: int | None) -> None:
        """Mark the step at which a branch begins; None for no branch."""
        self._branch = step
        self.update()

    def set_guided(self, steps: Collection[int]) -> None:
        """Mark the steps in which guidance acts."""
        self._guided = steps
        self.setToolTip(f"{NOISE_TIP}; the shaded steps are guided" if steps else NOISE_TIP)
        self.update()

    def guided(self) -> Collection[int]:
        return self._guided

    def sizeHint(self) -> QSize:
        return QSize(200, 44)

    def point(self, step: int) -> QPointF:
        """The point of a step's noise level in the widget."""
        top = max(self._noise.values()) or 1.0
        return QPointF(self._slider.x_of(step), self.height() - 6 - (self.height() - 12) * self._noise[step] / top)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme().colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = self._slider.x_of(self._slider.minimum()), self._slider.x_of(self._slider.maximum())
        base = self.height() - 6
        painter.setPen(QPen(colors.color("border"), 1))
        painter.drawLine(QPointF(left, base + 0.5), QPointF(right, base + 0.5))
        if not self._noise:
            return
        self._paint_guided(painter, base)
        points = [self.point(step) for step in sorted(self._noise)]
        line = QPainterPath(points[0])
        for point in points[1:]:
            line.lineTo(point)
        area = QPainterPath(line)
        area.lineTo(points[-1].x(), base)
        area.lineTo(points[0].x(), base)
        fill = colors.color("accent")
        fill.setAlpha(28)
        painter.fillPath(area, fill)
        painter.setPen(QPen(colors.color("accent"), 1.6))
        painter.drawPath(line)
        if self._branch is not None:
            x = self._slider.x_of(self._branch)
            painter.setPen(QPen(colors.color("muted"), 1.2, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
            painter.setFont(ui_font(Type.CAPTION))
            painter.drawText(QPointF(x + 5, 11), "branch")
        x = self._slider.x_of(self._slider.value())
        painter.setPen(QPen(colors.color("warm"), 1.5))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        if self._slider.value() in self._noise:
            painter.setBrush(colors.color("warm"))
            painter.setPen(QPen(colors.color("card"), 1.5))
            dot = self.point(self._slider.value())
            painter.drawEllipse(QRectF(dot.x() - 4, dot.y() - 4, 8, 8))

    def _paint_guided(self, painter: QPainter, base: float) -> None:
        """Shade the steps in which guidance acts: each up to the next."""
        shade = theme().colors.color("warm")
        shade.setAlpha(48)
        for step in self._guided:
            left, right = self._slider.x_of(step), self._slider.x_of(step + 1)
            painter.fillRect(QRectF(left, 0, right - left, base), shade)
        if self._guided:
            painter.setPen(theme().colors.color("muted"))
            painter.setFont(ui_font(Type.CAPTION))
            painter.drawText(QPointF(self._slider.x_of(min(self._guided)) + 4, base - 4), "guided")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._noise:
            self.scrubbed.emit(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self._noise:
            self.scrubbed.emit(event.position().x())
