"""Parts of the frame: navigation, messages, help."""
