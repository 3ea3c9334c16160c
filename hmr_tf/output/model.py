"""A trained model as an object: what `hmr_tf.load` returns."""

import numpy as np
import tensorflow as tf

from hmr_tf.output import saved_model

_AT_ONCE = 32  # crops; bounds the memory


class Model:
    """A network that is loaded and answers; `hmr` is the network itself."""

    def __init__(self, hmr):
        """Args: hmr: `networks.hmr.HMR`."""
        self.hmr = hmr
        self._last = tf.function(lambda images: [saved_model.answers(hmr, images)])
        self._every = tf.function(lambda images: saved_model.every_answer(hmr, images))

    @property
    def image_size(self):
        """S, side of the crops it sees, pixels."""
        return self.hmr.image_size

    @property
    def faces(self):
        """(F, 3) vertex ids of the mesh; empty for a model imported without an SMPL file."""
        return self.hmr.smpl.faces

    def predict_crops(self, images, stages=False):
        """Bodies of people who were cropped already, each about 150 px tall in 224.

        Args:
          images: (B, S, S, 3) float32 RGB in [-1, 1].
          stages: also give the answers of every stage of the regressor.

        Returns:
          dict of float32 arrays: `theta` (B, 85), `camera` (B, 3), `rotations` (B, 24, 3, 3),
          `betas` (B, 10), `vertices` (B, V, 3), `joints3d` (B, 19, 3), `smpl_joints` (B, 24, 3) in
          metres, `keypoints2d_px` (B, 19, 2) in pixels of the crop; with `stages` also `stages`, a
          list of such dicts, the last one being the answer.

        Raises:
          ValueError: images of another shape.
        """
        images, size = np.asarray(images, np.float32), self.image_size
        if images.ndim != 4 or images.shape[1:] != (size, size, 3) or not len(images):
            raise ValueError(
                f"images must be (B, {size}, {size}, 3), B at least 1; received {images.shape}"
            )
        answer = self._every if stages else self._last
        parts = [
            answer(tf.constant(images[start : start + _AT_ONCE]))
            for start in range(0, len(images), _AT_ONCE)
        ]
        joined = [
            {name: np.concatenate([part[stage][name] for part in parts]) for name in part_of}
            for stage, part_of in enumerate(parts[0])
        ]
        return {**joined[-1], "stages": joined} if stages else joined[-1]
