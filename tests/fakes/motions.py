"""Made-up motions for the writers' tests."""

import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.exporters import motion


def walker(name="person_0", frames=12, seed=0, start=0):
    """A person who sways all joints and moves on; another shape and rhythm for each seed."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    pose = 0.6 * np.sin(time + rng.uniform(0, 6, (1, 24, 3)))
    transl = np.stack([time[:, 0, 0] / 5, 0.1 * np.sin(time[:, 0, 0]), -time[:, 0, 0]], axis=-1)
    return motion.from_arrays(
        name, rng.normal(size=10), pose, transl + seed, np.arange(start, start + frames)
    )


def world_rotations(rotations):
    """Rotations against each joint's parent (N, 24, 3, 3) -> against the world, the same."""
    world = rotations.copy()
    for joint, parent in enumerate(skeleton.SMPL_PARENTS):
        if parent >= 0:
            world[:, joint] = world[:, parent] @ rotations[:, joint]
    return world
