"""Human3.6M in three layouts."""
