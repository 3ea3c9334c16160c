"""Bytes on disk: atomic writing, safe reading of untrusted files, and the error a user reads."""
