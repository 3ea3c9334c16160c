"""What the speed tables compare with: the original's SMPL, the network in PyTorch."""
