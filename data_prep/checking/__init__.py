"""Shards read back and shown."""
