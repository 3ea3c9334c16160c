"""Files on disk: atomic writing, safe reading of untrusted files, errors for users."""
