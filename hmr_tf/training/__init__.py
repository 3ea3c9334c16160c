"""Losses, the trainer and what watches it."""
