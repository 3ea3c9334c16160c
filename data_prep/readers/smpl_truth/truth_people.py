"""One person with SMPL truth -> LabelledPerson, cropped by the original's rule."""

import numpy as np

from data_prep.reader_items import LabelledPerson, Skipped
from data_prep.readers import person_size
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_train
from hmr_tf.body import skeleton
from hmr_tf.data import crop
from hmr_tf.data.smpl_truth import CONFIDENT

# The original scales people to 150 px for a crop of 224, also in 3DPW: `src/util/smooth_bbox.py` of
# its author's human_dynamics. SPIN's box has 1.2 times the larger side (`pw3d.py:44-49`@277892a).
CROP = mpi_inf_3dhp_train.CROP._replace(min_inside=0)


def labelled_person(image, points, truth, box_px=None, **more):
    """A LabelledPerson, scaled to a diagonal of 150 px; or Skipped.

    Args:
      image: path.
      points: (19, 3) in the order of `skeleton.KEYPOINTS`: x, y in pixels and `labelled`.
      truth: `smpl_truth.SmplTruth`.
      box_px: (4,) x_min, y_min, x_max, y_max of the person; None: of the labelled points.
      more: other fields of LabelledPerson.
    """
    labelled = points[:, 2].astype(int)
    if not labelled.any():
        return Skipped("no 2D keypoints", _location(image, more), is_problem=False)
    if box_px is None:
        diagonal = person_size.diagonal(points[:, :2], labelled)
    else:
        diagonal = np.linalg.norm(box_px[2:] - box_px[:2])
    if diagonal == 0:
        return Skipped("keypoints all in one place", _location(image, more))
    return LabelledPerson(
        image,
        points[:, :2],
        labelled,
        crop_rule=CROP,
        scale=crop.PERSON_PX / diagonal,
        box_px=box_px,
        reference=truth,
        **more,
    )


def keypoints(points_px, confidences, names, confident=0.0):
    """Points of any vocabulary -> (..., 19, 3) x, y, labelled in the order of KEYPOINTS.

    Args:
      points_px: (..., K, 2).
      confidences: (..., K); points of 0 or less are not labelled.
      names: of the K points.
      confident: points with more confidence are labelled CONFIDENT, others 1.
    """
    labelled = np.where(confidences > confident, CONFIDENT, 1) * (confidences > 0)
    points = np.concatenate([points_px, labelled[..., None]], axis=-1)
    converted = skeleton.convert(points, names, skeleton.KEYPOINTS)
    is_labelled = converted[..., 2:] > 0
    return np.where(is_labelled, converted, 0.0)


def _location(image, more):
    return f"{more['sequence']}, {image}" if more.get("sequence") else str(image)
