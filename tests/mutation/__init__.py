"""Plausible mistakes, planted one at a time, each of which the tests named beside it must notice."""
