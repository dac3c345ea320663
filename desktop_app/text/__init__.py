"""Words, numbers and formulas on the screen."""
