"""Pictures of the results page."""
