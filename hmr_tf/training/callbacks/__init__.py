"""Keras callbacks of a training: checkpoints, TensorBoard, validation, progress, guards."""
