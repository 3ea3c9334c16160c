"""BlazePose, which detects landmarks in 2D and 3D, and bodies fitted to its landmarks."""
