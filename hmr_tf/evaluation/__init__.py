"""How good it is: metrics and protocols."""
