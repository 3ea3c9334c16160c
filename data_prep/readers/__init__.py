"""One reader per dataset, and their file formats."""
