"""Datasets whose truth is SMPL parameters: 3DPW, EMDB and SSP-3D."""
