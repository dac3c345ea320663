"""Noiseloom's window: panels and widgets over the `ml` package."""
