"""Pixels, PNG, safe opening, labelled figures. No torch."""
