"""From people to shards: crop, encode, write, publish; in one process, many, or on Beam."""
