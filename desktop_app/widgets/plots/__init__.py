"""Plots and their export."""
