"""What a run minimizes: one objective per file."""
