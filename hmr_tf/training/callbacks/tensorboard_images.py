"""TensorBoard's images: the same people every N steps, and the mesh of the first one."""

import numpy as np
import tensorflow as tf
from tensorboard.plugins.mesh import summary_v2 as mesh_summary
from tensorflow import keras

from hmr_tf.body import camera
from hmr_tf.rendering import drawing, render

NUM_PEOPLE = 4
_PREDICTED = (255, 255, 255)


class WritePictures(keras.callbacks.Callback):
    """Writes a row of pictures for each person and a mesh every N steps."""

    def __init__(self, writer, every, batch, name):
        """Args:
        writer: tf.summary writer.
        every: steps between pictures.
        batch: a pipeline batch; its first people are drawn.
        name: tag of the pictures.
        """
        super().__init__()
        self._writer = writer
        self._every = every
        self._batch = {key: value[:NUM_PEOPLE] for key, value in batch.items()}
        self._name = name

    def on_train_begin(self, logs=None):
        self._draw()

    def on_train_batch_end(self, batch, logs=None):
        if self.model.is_due(self._every):
            self._draw()

    def _draw(self):
        hmr = self.model.hmr
        stages = [hmr.with_mesh(stage) for stage in hmr(self._batch["image"], training=False)]
        picture = people_picture(self._batch, stages, hmr.smpl.faces)
        # The plugin's y points up.
        vertices = stages[-1].vertices[:1] * [1.0, -1.0, -1.0]
        with self._writer.as_default(self.model.step):
            tf.summary.image(self._name, picture[None])
            mesh_summary.mesh(f"{self._name}/mesh", vertices, faces=hmr.smpl.faces[None])
        self._writer.flush()


def people_picture(batch, stages, faces):
    """A row for each person: input, keypoints, the body over it after each stage, from the side.

    Args:
      batch: a pipeline batch of N people.
      stages: T `Prediction` with vertices.
      faces: (F, 3).

    Returns:
      (N * S, (3 + T) * S, 3) uint8. Labels are coloured by side, predicted keypoints are white.
    """
    size = int(batch["image"].shape[1])
    inputs = drawing.uint8_from_norm(batch["image"])
    columns = [inputs.numpy(), _keypoints(inputs.numpy(), batch, stages[-1], size)]
    for stage in stages:
        overlay, _ = render.render_body(
            stage.vertices, stage.camera, faces, size, background=inputs
        )
        columns.append(overlay)
    last = stages[-1]
    side, _ = render.render_body(render.side_view(last.vertices), last.camera, faces, size)
    rows = np.concatenate([*columns, side], axis=2)
    return np.concatenate(rows, axis=0)


def _keypoints(images, batch, prediction, size):
    labels = batch["keypoints2d_norm"].numpy()
    labels_px = camera.pixels_from_norm(labels[..., :2], size)
    predicted_px = camera.pixels_from_norm(prediction.keypoints2d_norm.numpy(), size)
    drawn = [
        drawing.draw_keypoints(image, points, visible > 0)
        for image, points, visible in zip(images, labels_px, labels[..., 2])
    ]
    return np.stack(
        [
            drawing.draw_bones(image, points, color=_PREDICTED)
            for image, points in zip(drawn, predicted_px)
        ]
    )
