"""People and poses that are made up: no download, known truth."""
