"""A run's folder on disk: metrics, previews, loggers. No torch."""
