"""Widgets that show or edit images."""
