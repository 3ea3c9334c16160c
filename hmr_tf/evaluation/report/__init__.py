"""What an evaluation shows: results as files, tables, charts and pages."""
