"""What `python -m hmr_tf.main --mode=MODE` does: one module per mode, and the options."""
