"""A second network that sees landmarks in 2D and 3D, and bodies fitted to what it sees."""
