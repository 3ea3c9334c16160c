"""What an evaluation measures: the tables of the paper."""
