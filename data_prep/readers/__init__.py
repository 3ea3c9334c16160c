"""One reader per dataset, and the file formats they come in."""
