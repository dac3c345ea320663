"""The trainer, the state of a run, its optimizers, losses and objectives."""
