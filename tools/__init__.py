"""What maintainers run to make the files that the package ships or installs."""
