"""The pages: each binds widgets to its part of the session and holds no logic of its own."""
