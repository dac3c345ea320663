"""Models and presets by name, and imported weights."""
