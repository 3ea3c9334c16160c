"""What a body is: joints, rotations, the SMPL layer, the camera. No images, no training."""
