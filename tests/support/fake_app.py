"""The application without a window: a session on a fake engine, with the bundled models."""

from collections.abc import Sequence
from functools import lru_cache

from desktop_app.pages.registry import VIEWMODELS
from desktop_app.settings import AppSettings
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.session import Session
from ml.registry import model_cards
from ml.registry.model_cards import ModelCard
from tests.support.fake_engine import FakeEngine


class FakeApp:
    """A session, its engine, and the messages it showed."""

    def __init__(self, settings: AppSettings) -> None:
        self.engine = FakeEngine()
        self.session = Session(settings, VIEWMODELS, self.engine)
        self.context = self.session.context
        self.context.models, self.context.device = bundled_cards(), "a fake device"
        self.messages: list[Message] = []
        self.context.message.connect(self.messages.append)


@lru_cache(maxsize=1)
def bundled_cards() -> tuple[ModelCard, ...]:
    return tuple(model_cards.cards())


def own_card(name: str, classes: Sequence[str], **model: object) -> ModelCard:
    """The card of a person's own model of these classes: grey, of a drawing's size, unless `model` says otherwise."""
    like = next(card for card in bundled_cards() if card.name == "digits")
    config = like.header.model.with_changes(num_classes=len(classes), **model)
    header = like.header.with_changes(data=f"folder:{name}", classes=classes, model=config)
    return like.model_copy(update={"name": name, "bundled": False, "header": header, "title": "", "scores": {}})
