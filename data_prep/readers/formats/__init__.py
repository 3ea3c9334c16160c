"""File formats that datasets come in, read without trusting them."""
