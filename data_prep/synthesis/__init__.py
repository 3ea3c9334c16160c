"""Synthetic people and poses: no download, known ground truth."""
