"""torchrun's environment and the few collectives."""
