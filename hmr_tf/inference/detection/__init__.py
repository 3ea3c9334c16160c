"""Where the people of a photograph are: a detector, or the network that searches for one."""
