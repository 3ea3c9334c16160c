"""Reads the goldens, and measures how far numbers are from them."""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def load(name):
    """dict of the arrays of NAME.npz."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def sub(array, count=400):
    """The sub-sample of a variable that train_step.npz holds."""
    array = np.asarray(array).ravel()
    return array[:: max(1, array.size // count)][:count]


def max_abs(ours, golden):
    return float(np.abs(np.asarray(ours, np.float64) - np.asarray(golden, np.float64)).max())


def rel_l2(ours, golden):
    ours, golden = np.asarray(ours, np.float64), np.asarray(golden, np.float64)
    return float(np.linalg.norm(ours - golden) / max(np.linalg.norm(golden), 1e-30))


def max_over_rms(ours, golden):
    golden = np.asarray(golden, np.float64)
    return max_abs(ours, golden) / float(np.sqrt((golden**2).mean()))


def has_noise_gradient(name):
    """Whether a variable's gradient is rounding noise: ResNet's convolution biases.

    Each of their consumers is a batch norm on batch statistics, so in theory it is exactly 0.
    """
    return name.startswith("resnet_v2_50/") and name.endswith("/biases")


def delta_check(delta, golden, rate):
    """Share of the elements that moved elsewhere, and the relative L2 of the others.

    After one step Adam has moved nearly all by the rate; where a gradient is about 0 the sign is
    a matter of rounding, so neither maxima nor the plain L2 are stable.
    """
    delta, golden = (np.asarray(x, np.float64).ravel() for x in (delta, golden))
    off = np.abs(delta - golden) > 0.05 * rate
    return float(off.mean()), rel_l2(delta[~off], golden[~off])


# How far two correct programs may be apart: about ten times the noise between two builds of one.
BARS = {
    "rodrigues.R": 2e-6,
    "rodrigues.dR_dtheta": 1e-3,
    "smpl.verts/joints/J_transformed": 5e-6,
    "smpl.grad_beta/grad_theta": 5e-5,
    "projection.out": 1e-6,
    "losses.*_loss": 1e-5,
    "flips.*": 1e-6,
    "openpose.*": 1e-9,
    "resnet.features": 2e-4,
    "runmodel.theta_stages": 5e-5,
    "runmodel.verts/joints3d (m)": 3e-5,
    "runmodel.predict_joints (px)": 5e-3,
    "discriminator.out": 1e-5,
    "discriminator.grad_*": 1e-5,
    "train_step.loss_* (step 1)": 2e-5,
    "train_step.loss_history (steps 2, 3)": 2e-4,
    "train_step.theta_stages/d_out": 5e-5,
    "train_step.grad (3D_module, mean_param, D)": 1e-3,
    "train_step.grad (resnet, not conv biases)": 6e-2,
    "train_step.grad_norms (resnet, not conv biases)": 3e-2,
    "train_step.delta1 (3D_module, mean_param, D)": (0.01, 3e-3),
    "train_step.delta1 (resnet, not conv biases)": (0.03, 1e-2),
    "train_step.bn1_mean/bn1_var": 2e-6,
    "metrics.*": 1e-9,
}
