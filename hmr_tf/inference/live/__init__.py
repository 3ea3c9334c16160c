"""A webcam with the bodies drawn, while it is recorded."""
