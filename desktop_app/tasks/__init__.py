"""Generators that the compute thread runs, one file per page."""
