"""Comparison grids, the race, classic questions, and their figures."""
