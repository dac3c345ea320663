"""The pages: each binds widgets to its view-model and holds no logic."""
