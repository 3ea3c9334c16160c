"""What the original was fed with: random numbers that do not depend on numpy's version."""

import zlib

import numpy as np


def rng(label):
    """numpy's frozen legacy generator, seeded by a name."""
    return np.random.RandomState(zlib.crc32(label.encode()))


def mean_theta():
    """(1, 85) the regressor's start: scale 0.9, facing the viewer, made-up mean pose and shape."""
    random, start = rng("mean_params"), np.zeros((1, 85))
    start[0, 0] = 0.9
    start[0, 3:75] = 0.15 * random.standard_normal(72)
    start[0, 75:] = 0.3 * random.standard_normal(10)
    start[0, 3:6] = [np.pi, 0, 0]
    return start.astype(np.float32)


def images(count, label="img", size=224):
    """(N, size, size, 3) float32 in [-1, 1]: waves, blocks and noise."""
    out = np.zeros((count, size, size, 3))
    y, x = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    for number in range(count):
        random = rng(f"{label}/{number}")
        for channel in range(3):
            for _ in range(6):
                fx, fy, phase, height = (
                    random.uniform(*bounds) for bounds in ((-9, 9), (-9, 9), (0, 6.283), (0.1, 0.4))
                )
                wave = np.sin(2 * np.pi * (fx * x + fy * y) + phase)
                out[number, :, :, channel] += height * wave
        for _ in range(5):
            top, left = random.randint(0, size - size // 4, 2)
            height, width = random.randint(size // 16, size // 4, 2)
            out[number, top : top + height, left : left + width] = random.uniform(-1, 1, 3)
        out[number] += 0.1 * random.uniform(-1, 1, (size, size, 3))
    return np.clip(out, -1, 1).astype(np.float32)


def smpl_inputs(count=6):
    """(N, 10) betas and (N, 72) pose: at rest, upside down, extreme, and others."""
    random = rng("smpl_in")
    betas, pose = random.standard_normal((count, 10)), 0.35 * random.standard_normal((count, 72))
    betas[0], pose[0] = 0, 0
    pose[1, :3] = [np.pi, 0, 0]
    pose[2] *= 4
    betas[3] *= 3
    return betas.astype(np.float32), pose.astype(np.float32)


def rotation_matrices(axis_angle):
    """(N, 3) -> (N, 3, 3), float64, by the textbook."""
    axis_angle = np.asarray(axis_angle, np.float64)
    out = np.tile(np.eye(3), (len(axis_angle), 1, 1))
    for matrix, vector in zip(out, axis_angle):
        angle = np.linalg.norm(vector)
        if angle:
            x, y, z = vector / angle
            cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
            matrix += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return out


def training_batch(count=4, num_stage=3):
    """What the golden training step is fed with, in the form of `data.pipeline.training_dataset`.

    Every second person has 3D joints, every fourth SMPL parameters too; the last has 6 keypoints.
    Motion capture comes as (T * N, 72) pose and (T * N, 10) betas.
    """
    random = rng(f"train/{count}")
    keypoints = np.concatenate(
        [random.uniform(-0.9, 0.9, (count, 19, 2)), np.ones((count, 19, 1))], 2
    )
    labelled = random.uniform(size=(count, 19)) > 0.2
    labelled[3 % count, 6:] = False
    pose = 0.4 * random.standard_normal((count, 24, 3))
    pose[:, 0] = [3.0, 0.1, -0.1]
    has_joints, has_smpl = np.arange(count) % 2 == 0, np.arange(count) % 4 == 0
    rotations = rotation_matrices(pose.reshape(-1, 3)).reshape(count, 24, 3, 3)
    betas, joints = (
        random.standard_normal((count, 10)),
        0.4 * random.standard_normal((count, 14, 3)),
    )
    rotations[~has_joints], betas[~has_joints], joints[~has_joints] = 0, 0, 0
    batch = {
        "keypoints2d_norm": keypoints * labelled[:, :, None],
        "rotations": rotations,
        "betas": betas,
        "lsp_joints": joints,
    }
    batch = {key: value.astype(np.float32) for key, value in batch.items()}
    batch.update(image=images(count, "train_img"), has_joints=has_joints, has_smpl=has_smpl)
    pose, betas = (random.standard_normal((count * num_stage, size)) for size in (72, 10))
    return batch, (0.4 * pose).astype(np.float32), betas.astype(np.float32)
