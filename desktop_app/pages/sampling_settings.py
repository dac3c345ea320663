"""The sampling settings: model, sampler and their parameters."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop_app.settings import MAX_COLUMNS
from desktop_app.text.formatting import count
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.guidance import interval
from desktop_app.widgets.controls.basics import Button, Label
from desktop_app.widgets.controls.rows import ChoiceRow, Section, SliderRow
from ml.config import NO_INTERVAL, SampleSettings
from ml.specs import CLIPS, SAMPLERS, SETTINGS, SPACINGS, lines, titles

OWN_FILE = "file"
STEERED_BY = (*((key, f"{clip.title} (download)" if clip.size else clip.title) for key, clip in CLIPS.items()),
              (OWN_FILE, "ViT-B/32 from a file…"))  # fmt: skip
ROWS = (1, 2, 3, 5, 10)
MANY = 1000.0  # a guidance interval up to this sigma has no upper end
STARTS = (("pure", "Pure noise"), ("first", "Maximum σ"))
START_LINES = {"pure": "One extra step, from noise without any image", "first": "The first step is at the maximum σ"}
PURE_NOISE = 1000.0  # sigma/alpha at which no image is visible
NO_END = SampleSettings().guidance_to


class SamplingSettings(QWidget):
    """The controls of a `SampleRequest`, except prompt and seed."""

    def __init__(self, generate: Generate, context: AppContext) -> None:
        super().__init__()
        self._context, self._generate = context, generate
        self._make_rows()
        self.advanced = Section("Advanced", collapsible=True, expanded=False)
        self.reset = Button("Reset to defaults", kind="link", tip="Use this model's default settings")
        self._arrange()
        self._connect()
        self.show_settings()

    def _make_rows(self) -> None:
        self.model = ChoiceRow(
            SETTINGS["model"].title, tip="The network that removes the noise: a bundled model or one of yours"
        )
        self.sampler = ChoiceRow(
            SETTINGS["sampler"].title,
            titles(SAMPLERS),
            tip="The rule for each step from noise to image",
            lines=lines(SAMPLERS),
        )
        self.steps = SliderRow(
            SETTINGS["steps"].title,
            1,
            1000,
            10,
            slider_max=50,
            tip="Number of denoising steps; more steps are slower and more accurate",
        )
        self.guidance = SliderRow(
            SETTINGS["guidance"].title, 0, 15, 1.5, step=0.05, decimals=2, slider_max=5,
            tip="Strength of the class: 1 is off, higher values give clearer, less varied images",
        )  # fmt: skip
        self.acts = Label("", "small")
        self.acts.setWordWrap(True)
        self.act_always = Button("Guide at every step", kind="link", tip="Guidance acts at all noise levels")
        self.clip_scale = SliderRow(
            SETTINGS["clip_scale"].title,
            0,
            20,
            5,
            step=0.5,
            decimals=1,
            tip="Strength of the words at every step; 0 is off",
        )
        self.clip = ChoiceRow("CLIP model", tip="The CLIP that compares every step with the words")
        self.repeats = SliderRow(
            SETTINGS["repeats"].title,
            0,
            5,
            2,
            tip="How often each step is undone and repeated, so that the words have more effect",
        )
        self.eta = SliderRow(
            SETTINGS["eta"].title,
            0,
            1,
            0,
            step=0.05,
            decimals=2,
            tip="Noise that DDIM adds at every step: 0 is none, 1 is as much as DDPM",
        )
        self.eta_note = Label("", "small")
        self.eta_note.setWordWrap(True)
        self.grid = ChoiceRow("Grid", tip="Columns × rows; each row repeats the prompt with new noise")
        self.spacing = ChoiceRow(
            SETTINGS["spacing"].title,
            titles(SPACINGS),
            tip="How the steps are spread from noise to image",
            lines=lines(SPACINGS),
        )
        self.start = ChoiceRow(
            "Start from",
            STARTS,
            tip="Pure noise takes one extra step, and then continues at the maximum σ",
            lines=START_LINES,
        )
        self.sigma_max = SliderRow(
            SETTINGS["sigma_max"].title,
            1,
            1000,
            40,
            decimals=1,
            logarithmic=True,
            tip="The noise level at which the steps begin",
        )
        self.guide_from = SliderRow(
            SETTINGS["guidance_from"].title,
            0,
            10,
            0,
            step=0.05,
            decimals=2,
            tip="Guidance is off below this noise level",
        )
        self.guide_to = SliderRow(
            SETTINGS["guidance_to"].title, 0.1, MANY, MANY, decimals=1, logarithmic=True,
            tip="Guidance is off above this noise level; 1000 means no limit",
        )  # fmt: skip

    def _arrange(self) -> None:
        main = Section("Sampling")
        room = self.reset.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(room)
        main.set_corner(self.reset)
        self.acting = QWidget()
        acting = QVBoxLayout(self.acting)
        acting.setContentsMargins(0, 0, 0, 0)
        acting.setSpacing(0)
        acting.addWidget(self.acts)
        acting.addWidget(self.act_always, 0, Qt.AlignmentFlag.AlignLeft)
        for widget in (
            self.model,
            self.sampler,
            self.steps,
            self.guidance,
            self.acting,
            self.clip,
            self.clip_scale,
            self.repeats,
            self.eta,
            self.eta_note,
            self.grid,
        ):
            main.add(widget)
        for widget in (self.spacing, self.start, self.sigma_max, self.guide_from, self.guide_to):
            self.advanced.add(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        column.addWidget(main)
        column.addWidget(self.advanced)

    def _connect(self) -> None:
        generate = self._generate
        self.model.valueChanged.connect(lambda name: generate.use_model(name, live=True))
        self.sampler.valueChanged.connect(lambda name: generate.change(sampler=name))
        self.steps.valueChanged.connect(lambda value: generate.change(steps=round(value)))
        self.guidance.valueChanged.connect(lambda value: generate.change(guidance=value))
        self.act_always.clicked.connect(lambda: generate.change(**NO_INTERVAL))
        self.clip_scale.valueChanged.connect(lambda value: generate.change(clip_scale=value))
        self.clip.valueChanged.connect(self._use_clip)
        self.repeats.valueChanged.connect(lambda value: generate.change(repeats=round(value)))
        self.eta.valueChanged.connect(lambda value: generate.change(eta=value))
        self.grid.valueChanged.connect(lambda rows: generate.change(rows=int(rows)))
        self.spacing.valueChanged.connect(lambda name: generate.change(spacing=name))
        self.start.valueChanged.connect(lambda key: generate.change(sigma_lead=PURE_NOISE if key == "pure" else 0.0))
        self.sigma_max.valueChanged.connect(lambda value: generate.change(sigma_max=value))
        self.guide_from.valueChanged.connect(lambda value: generate.change(guidance_from=value))
        self.guide_to.valueChanged.connect(lambda value: generate.change(guidance_to=value if value < MANY else NO_END))
        self.reset.clicked.connect(generate.reset)
        generate.changed.connect(self.show_settings)
        self._context.ready.connect(self.show_settings)

    def show_settings(self) -> None:
        """Show the current settings."""
        settings = self._generate.settings
        names = [card.name for card in self._context.drawing_models]
        names += [settings.model] if settings.model not in names else []
        self.model.set_lines(self._context.model_lines())
        self.model.set_choices(self._context.model_choices(names), settings.model)
        self.sampler.set_value(settings.sampler)
        self.steps.set_value(settings.steps)
        self.guidance.set_value(settings.guidance)
        self.guidance.setEnabled(self._generate.classes > 0)
        by_words = settings.route == "clip"
        self.guidance.setVisible(not by_words)
        self._show_acting()
        for row in (self.guide_from, self.guide_to):
            row.setVisible(not by_words)
        self.clip.setVisible(by_words)
        known = settings.clip in CLIPS
        own = () if known else ((settings.clip, Path(settings.clip).name),)
        self.clip.set_choices((*STEERED_BY, *own), settings.clip)
        self.clip_scale.setVisible(by_words)
        self.repeats.setVisible(by_words)
        self.clip_scale.set_value(settings.clip_scale)
        self.repeats.set_value(settings.repeats)
        self.eta.set_value(settings.eta)
        used = "eta" in SAMPLERS[settings.sampler].uses
        self.eta.setEnabled(used)
        self.eta_note.setText(f"{SAMPLERS[settings.sampler].title} ignores {SETTINGS['eta'].title}.")
        self.eta_note.setVisible(settings.eta > 0 and not used)
        self.spacing.set_value(settings.spacing)
        self.start.set_value("pure" if settings.sigma_lead > settings.sigma_max else "first")
        self.start.setEnabled(settings.spacing == "karras")
        self.sigma_max.set_value(settings.sigma_max)
        self.guide_from.set_value(settings.guidance_from)
        self.guide_to.set_value(min(settings.guidance_to, MANY))
        self.reset.setVisible(not self._generate.at_defaults)
        self._show_grid()

    def _show_acting(self) -> None:
        """In how many of the steps guidance acts, unless it acts in all."""
        settings, acting = self._generate.settings, self._generate.acting_steps
        limited = acting is not None and acting < settings.steps
        self.acting.setVisible(limited)
        if limited:
            self.acts.setText(f"Acts in {acting} of {count(settings.steps, 'step')}: {interval(settings)}")

    def _use_clip(self, name: str) -> None:
        if name == OWN_FILE:
            chosen, _ = QFileDialog.getOpenFileName(
                self, "Choose weights of ViT-B/32", "", "Weights (*.safetensors *.pt *.bin)"
            )
            name = chosen or self._generate.settings.clip
        self._generate.use_clip(name)
        self.show_settings()

    def _show_grid(self) -> None:
        columns = len(self._generate.row())
        self.grid.setEnabled(0 < columns <= MAX_COLUMNS)
        if columns > MAX_COLUMNS:
            self.grid.set_choices([("1", self._generate.subject.counted(columns))], "1")
            return
        rows = sorted({*ROWS, self._generate.settings.rows})
        across = columns or "–"  # a prompt that can't be parsed has no columns
        self.grid.set_choices([(str(n), f"{across} × {n}") for n in rows], str(self._generate.settings.rows))
