"""Made-up motions for the writers' tests."""

import numpy as np

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
