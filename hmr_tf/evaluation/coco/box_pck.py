"""PCK of COCO's keypoints as shares of the annotated box, as 4D-Humans measures it.

A keypoint is right when it is nearer than 5 % (10 %) of the longer side of the box, enlarged by
1.2. Only people with all twelve keypoints of the limbs count, and the figure is the mean of the
keypoints' shares. Source: shubham-goel/4D-Humans 6ec7965: `hmr2/utils/pose_utils.py:287-308`
(longer side), `hmr2/utils/pck_accuracy.py:54,90-93` (strictly nearer, mean over keypoints),
`hmr2/datasets/preprocess/posetrack_to_npz.py:16,37,54` (1.2, twelve keypoints).
"""

import numpy as np

from hmr_tf.body.skeleton import COCO_KEYPOINTS, FACE_KEYPOINTS
from hmr_tf.evaluation import metrics
from hmr_tf.evaluation.protocols import scores

_LIMBS = [k for k, name in enumerate(COCO_KEYPOINTS) if name not in FACE_KEYPOINTS]


def terms(photographs, predictions):
    """Terms of the PCKs.

    Args:
      photographs: list of P `CocoPhotograph`.
      predictions: for each photograph one `oks_precision.PredictedPerson` for each labelled person,
        in their order; None, where the box could not be predicted, has no right keypoint.

    Returns:
      {name: `scores.Terms` of P photographs with a column for each of the 17 keypoints}
    """
    shape = len(photographs), len(COCO_KEYPOINTS)
    counted = np.zeros(shape)
    right = {name: np.zeros(shape) for name in metrics.BOX_PCK}
    for number, (photograph, people) in enumerate(zip(photographs, predictions)):
        labelled = [person for person in photograph.people if person.is_labelled]
        for person, predicted in zip(labelled, people, strict=True):
            is_known = person.keypoints[:, 2] > 0
            if not is_known[_LIMBS].all():
                continue
            counted[number] += is_known
            if predicted is None:
                continue
            side = metrics.BOX_FACTOR * max(person.box[2:])
            distance = metrics.distances(predicted.keypoints_px, person.keypoints[:, :2])
            for name, share in metrics.BOX_PCK.items():
                right[name][number] += is_known & (distance < share * side)
    return {name: scores.Terms(hits, counted, 100.0) for name, hits in right.items()}


def by_keypoint(pck_terms):
    """{keypoint: {name: percent, "people": number}} of `terms`, where a person has it labelled."""
    rows = {}
    counted = next(iter(pck_terms.values())).denominator.sum(0)
    for k, keypoint in enumerate(COCO_KEYPOINTS):
        if counted[k]:
            shares = {n: 100 * t.numerator[:, k].sum() / counted[k] for n, t in pck_terms.items()}
            rows[keypoint] = {**shares, "people": int(counted[k])}
    return rows
