"""Self-test, startup report, headless demo, screenshots."""
