"""Scores of images and models, and probes that look inside."""
