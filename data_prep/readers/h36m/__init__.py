"""Human3.6M in the three layouts that people have it in."""
