"""File formats of datasets, read without trusting the files."""
