"""People and their motions as files for other programs."""
