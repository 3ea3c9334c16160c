"""Reads shards back, checks and draws them."""
