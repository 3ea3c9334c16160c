"""The trained network without this code: SavedModel, TensorFlow Lite."""
