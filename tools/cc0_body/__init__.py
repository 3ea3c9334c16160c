"""Builds the embedded body, `hmr_tf/assets/cc0_body.npz`, from MakeHuman's CC0 data."""
