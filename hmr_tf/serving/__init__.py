"""Exports of the trained network that run without this code: SavedModel, TensorFlow Lite."""
