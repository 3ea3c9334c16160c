"""Batching of requests as in TensorFlow Serving: the queue, the threads, and a load on both."""
