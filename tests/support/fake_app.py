"""The application without a window: a session on a fake engine, with the bundled models."""

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
