"""Losses, the trainer, a training run and its callbacks."""
