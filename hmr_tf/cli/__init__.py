"""The commands `python -m hmr_tf.main --mode=MODE`: one module per mode, and the options."""
