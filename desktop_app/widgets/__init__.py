"""Self-contained widgets: constructor, setters, Qt signals. They use no session and no model."""
