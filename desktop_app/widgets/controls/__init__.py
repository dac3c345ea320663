"""Buttons, rows, lists, fields and menus."""
