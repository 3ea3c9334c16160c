"""Experiments and pictures of the results page."""
