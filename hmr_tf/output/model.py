"""A trained model as an object: what `hmr_tf.load` returns."""

import os

import numpy as np
import tensorflow as tf

from hmr_tf.data import photo
from hmr_tf.output import people, saved_model

_AT_ONCE = 32  # crops; bounds the memory


class Model:
    """A network that is loaded and answers; `hmr` is the network itself."""

    def __init__(self, hmr, body, detector=None):
        """Args:
        hmr: `networks.hmr.HMR`.
        body: its `model_file.ModelData`.
        detector: `output.detector.Detector`, or None.
        """
        self.hmr = hmr
        self.body = body
        self.detector = detector
        self._last = tf.function(lambda images: [saved_model.answers(hmr, images)])
        self._every = tf.function(lambda images: saved_model.every_answer(hmr, images))

    @property
    def image_size(self):
        """S, side of the crops it sees, pixels."""
        return self.hmr.image_size

    @property
    def faces(self):
        """(F, 3) vertex ids of the mesh; empty for a model imported without an SMPL file."""
        return self.body.faces

    def predict(self, image, boxes=None, focal_px=None, principal_px=None):
        """The bodies of everybody in a photograph.

        Args:
          image: (H, W, 3) uint8 RGB, or the path of a JPEG, PNG or BMP.
          boxes: (x, y, width, height) of each person in pixels, or one such box. None: whom the
            detector finds; without a detector the whole photograph is one person's crop.
          focal_px, principal_px: the photograph's camera, where it is known: see
            `body.camera.place_in_photograph`.

        Returns:
          list of `output.people.Person`, dicts of named arrays.

        Raises:
          InputError: no image, an empty box, nobody found.
        """
        if isinstance(image, (str, os.PathLike)):
            image = photo.read_image(image)
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"image must be (H, W, 3) uint8 RGB; received {image.shape} {image.dtype}"
            )
        if boxes is None:
            boxes = self.find(image)
        elif np.shape(boxes) == (4,) and boxes[0] is not None:
            boxes = [boxes]
        boxes = [None if box is None else tuple(map(float, box)) for box in boxes]
        pinhole = people.pinhole_of(image, focal_px, principal_px)
        cuts = people.cut_people(image, boxes, pinhole, self.image_size)
        return people.predict_people(self.predict_crops, cuts)

    def find(self, image):
        """Boxes of the people in a photograph; [None], the whole, without a detector."""
        return [None] if self.detector is None else self.detector(image)

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
