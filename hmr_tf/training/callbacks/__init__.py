"""Keras callbacks of training: checkpoints, TensorBoard, validation, progress, failure checks."""
