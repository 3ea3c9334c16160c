"""Converts the person detector MoveNet MultiPose from TensorFlow.js to a SavedModel."""
