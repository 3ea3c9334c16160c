"""From meshes and cameras to pictures."""
