"""The Models page: all models with previews, the card of the chosen one, and actions on it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QButtonGroup, QFileDialog, QInputDialog, QMenu

from desktop_app.pages.base import Page
from desktop_app.pages.model_details import ModelDetails
from desktop_app.pages.name_dialog import NameDialog
from desktop_app.tasks.models import MatchingNetworks
from desktop_app.text.display_names import data_title, model_line, model_title
from desktop_app.text.formatting import count, duration, megabytes, millions
from desktop_app.text.scores import headline
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.models import EXPORTS, Models
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.images.model_tile import ModelTile, TilePlate
from ml.specs import PIPELINE_INDEX
from ml.system.files import free_name

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

FILES = f"Models (*.safetensors *.pt *.pth *.ckpt *.bin {PIPELINE_INDEX})"
INSTEAD = {
    "judge": "Classifies images",
    "clip": "Compares images with words",
    "autoencoder": "Encodes images into latents",
}
DRAWING_SOON, NONE_YET = "Generating…", "No pictures yet: press Generate"


class ModelsPage(Page):
    """Binds the widgets of the page to its view-model."""

    def __init__(self, models: Models, context: AppContext) -> None:
        super().__init__("Models")
        self._context, self._models = context, models
        self.subtitle = ElidedLabel("", "muted")
        self.import_button = Button(
            "Import…",
            "download-simple",
            tip="Import a model from a file, or the model_index.json of a diffusers pipeline",
        )
        self.trash_button = Button("Trash", "trash", tip="Restore deleted models, or delete them permanently")
        self.trash_menu = QMenu(self.trash_button)
        self.trash_menu.setAccessibleName("Trash")
        self.empty = Label("Loading the models…", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.tiles: dict[str, ModelTile] = {}
        self._on_tiles: dict[str, ModelCard] = {}  # cards on the tiles
        self._group = QButtonGroup(self)
        self.list = TilePlate("All models")
        self.details = ModelDetails(self._models)
        self._arrange()
        self._connect()
        self._show_list()

    def _arrange(self) -> None:
        self.add_header(Label("Models", "heading"), self.subtitle, self.trash_button, self.import_button)
        self.body.addWidget(self.empty, 1)
        self.body.addWidget(self.list, 1)
        self.side.addWidget(self.details)
        self.side.addStretch(1)
        self.foot.addWidget(self.details.draw)
        self.foot.addWidget(self.details.longer)
        self.foot.addLayout(row(self.details.rename, self.details.export, self.details.delete, spacing=Space.XS))

    def _connect(self) -> None:
        library, details = self._models, self.details
        self.import_button.clicked.connect(self._import)
        self.trash_button.clicked.connect(self._open_trash)
        details.draw.clicked.connect(self._draw)
        details.longer.clicked.connect(self._train_longer)
        details.rename.clicked.connect(self._rename)
        self.export_menu = QMenu(self)
        self.export_menu.setAccessibleName("Export the model")
        self.export_menu.setToolTipsVisible(True)
        self.export_menu.aboutToShow.connect(self._fill_export_menu)
        details.export.setMenu(self.export_menu)
        details.delete.clicked.connect(library.delete)
        self._context.ready.connect(self._show_list)
        library.changed.connect(self._on_changed)
        library.previewed.connect(self._show_preview)
        library.kind_needed.connect(self._ask_kind)
        library.data_needed.connect(self._ask_data)

    # ---- actions

    def look(self) -> None:
        """Generate the previews of the models."""
        self._models.look()

    def _choose(self, name: str) -> None:
        self._models.change(chosen=name)

    def _draw(self) -> None:
        self._models.draw()
        self.pageRequested.emit("generate")

    def _train_longer(self) -> None:
        self._models.train_on()
        self.pageRequested.emit("train")

    def _rename(self) -> None:
        card = self._models.card
        if card is None:
            return
        self.naming = NameDialog(self, f"Rename “{card.name}”", card.name, self._models.check_name)
        self.naming.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.naming.named.connect(self._models.rename)
        self.naming.open()

    def _import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a model to import", "", FILES)
        if name:
            self._models.import_file(Path(name))

    def _ask_kind(self, fits: MatchingNetworks) -> None:
        """Ask which network plain weights are from, where several have the same shape."""
        question = f"{fits.path.name} contains weights that fit several networks.\nWhich of them was trained?"
        kind, done = QInputDialog.getItem(self, "Import", question, list(fits.kinds), 0, False)
        if done:
            self._models.import_file(fits.path, kind)

    def _fill_export_menu(self) -> None:
        """Offer every form that a model can be written in; one that this model can't be written in says why."""
        self.export_menu.clear()
        for key, spec in EXPORTS.items():
            action = self.export_menu.addAction(f"{spec.title}…", partial(self.export, key))
            why_not = self._models.why_not_exported(key)
            action.setEnabled(not why_not)
            action.setToolTip(why_not or spec.about)

    def export(self, key: str) -> None:
        """Ask where to write the chosen model, and write it."""
        card = self._models.card
        if card is None:
            return
        spec = EXPORTS[key]
        suggested = free_name((self.export_folder or Path.home()) / f"{card.name}{spec.suffix}")
        name, _ = QFileDialog.getSaveFileName(self, f"Export as {spec.title}", str(suggested), spec.filter)
        if name:
            self.export_folder = Path(name).parent
            self._models.export(Path(name), key)

    def _ask_data(self) -> None:
        from ml.registry.judges import data_of

        card = self._models.card
        data = data_title(data_of(card.header)) if card else ""
        folder = QFileDialog.getExistingDirectory(self, f"Choose the folder that contains {data}")
        if folder:
            self._context.use_data_root(Path(folder))
            self._models.evaluate()

    def _open_trash(self) -> None:
        self.trash_menu.clear()
        for item in self._models.trash:
            action = self.trash_menu.addAction(f"Restore “{item.name}”")
            action.triggered.connect(lambda _checked=False, item=item: self._models.restore(item))
        self.trash_menu.addSeparator()
        self.trash_menu.addAction("Empty the trash…").triggered.connect(self._models.ask_to_empty_trash)
        self.trash_menu.popup(self.trash_button.mapToGlobal(self.trash_button.rect().bottomLeft()))

    # ---- what is shown

    def _show_list(self) -> None:
        """Show all models, with new tiles for changed ones; the focus is kept."""
        cards = self._models.cards
        focused = next((name for name, tile in self.tiles.items() if tile.hasFocus()), None)
        kept = {card.name: self.tiles[card.name] for card in cards if self._on_tiles.get(card.name) == card}
        for name in self.tiles.keys() - kept.keys():
            self._group.removeButton(self.tiles[name])
        self.tiles = {card.name: kept.get(card.name) or self._tile(card) for card in cards}
        self._on_tiles = {card.name: card for card in cards}
        self.list.set_tiles(list(self.tiles.values()))
        self.empty.setVisible(not cards)
        self.list.setVisible(bool(cards))
        own = [card for card in cards if not card.bundled]
        size = megabytes(sum(card.size for card in cards))
        whose = f"{count(len(own), 'model')} of yours" if own else "no models of yours yet"
        self.subtitle.set_text(f"{count(len(cards) - len(own), 'bundled model')}, {whose} · {size}" if cards else "")
        thrown = len(self._models.trash)
        self.trash_button.setText(f"Trash · {thrown}")
        self.trash_button.setVisible(thrown > 0)
        self._show_chosen()
        if focused is not None and self._models.card:
            self.tiles[self._models.card.name].setFocus()

    def _tile(self, card: "ModelCard") -> ModelTile:
        header = card.header
        data = data_title(header.data).removeprefix("Images in ") or "Unknown data"
        learnt = (data, duration(header.seconds) if header.seconds else "")
        facts = [part for part in (*learnt, f"{millions(card.parameters)} parameters") if part]
        lines = " · ".join(facts), headline(card.scores) or self._unscored(card)
        whose = f"{'bundled' if card.bundled else 'yours'} · {megabytes(card.size)}"
        tile = ModelTile(model_title(card), whose, lines)
        tile.toggled.connect(lambda on, name=card.name: self._choose(name) if on else None)
        soon = NONE_YET if self._models.is_dear(card) else DRAWING_SOON
        tile.show_preview(self._models.preview(card), INSTEAD.get(header.model.network, soon))
        self._group.addButton(tile)
        return tile

    def _unscored(self, card: "ModelCard") -> str:
        """What a tile says in place of scores."""
        if self._models.can_score(card):
            return "Not scored yet"
        return model_line(card)

    def _show_preview(self, name: str) -> None:
        card, tile = self._context.card(name), self.tiles.get(name)
        if card and tile:
            tile.show_preview(self._models.preview(card), DRAWING_SOON)
        if card and card is self._models.card:
            self.details.show_card(card)

    def _on_changed(self) -> None:
        self._show_chosen()
        if tile := self.tiles.get(self._models.settings.chosen):
            self.list.ensureWidgetVisible(tile)

    def _show_chosen(self) -> None:
        card = self._models.card
        for name, tile in self.tiles.items():
            with QSignalBlocker(tile):
                tile.setChecked(card is not None and name == card.name)
        if card or not self._models.cards:
            self.details.show_card(card)
