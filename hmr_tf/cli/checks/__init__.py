"""Wrong input, refused before the seconds that TensorFlow and a network take to load."""
