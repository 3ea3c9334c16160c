"""Evaluation of trained models: metrics, protocols, reports."""
