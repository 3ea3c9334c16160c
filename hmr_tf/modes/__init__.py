"""What --mode does: from the options to files. Each imports what it needs when it runs."""
