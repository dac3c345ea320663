"""Self-contained screen parts: constructor, setters, Qt signals. They know no session and no model."""
