"""The objectives of training runs, one per file."""
