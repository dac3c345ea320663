"""The view-model: what the app knows and can do, without a widget or a tensor in it."""

from desktop_app.viewmodels.session import Session

__all__ = ["Session"]
