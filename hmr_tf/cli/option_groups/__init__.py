"""The fields of `cli.options.Options`, by subject."""
