"""glTF 2.0: skinned, animated people in one GLB file."""
