"""What is found by name: models, presets, weights."""
