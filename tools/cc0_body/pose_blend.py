"""Pose blend shapes: they undo most of what linear skinning does wrong at bent and twisted joints.

The reference is Kavan et al. 2007, "Skinning with dual quaternions": no collapsing elbows, no
candy-wrapper wrists. SMPL's format has linear skinning and offsets linear in the rotation matrices;
so each joint's offsets are fitted, by ridge regression on R - I, to the difference of the two
skinnings over the joint's range of motion.
"""

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr_tf.body import skeleton
from tools.cc0_body.shape_space import REFLECT

# Lowest and highest axis-angle component, degrees, about x, y and z; right sides are reflected.
RANGE_OF_MOTION_DEG = {
    "left_hip": ((-120, 40), (-40, 40), (-30, 50)),
    "left_knee": ((0, 140), (-10, 10), (-10, 10)),
    "left_ankle": ((-50, 35), (-25, 25), (-25, 25)),
    "left_foot": ((-30, 40), (-5, 5), (-5, 5)),
    "spine1": ((-20, 40), (-20, 20), (-20, 20)),
    "spine2": ((-20, 40), (-20, 20), (-20, 20)),
    "spine3": ((-15, 25), (-20, 20), (-15, 15)),
    "neck": ((-35, 40), (-45, 45), (-30, 30)),
    "head": ((-30, 30), (-40, 40), (-25, 25)),
    "left_collar": ((-10, 10), (-25, 25), (-15, 30)),
    "left_shoulder": ((-80, 60), (-100, 50), (-90, 80)),
    "left_elbow": ((-60, 60), (-145, 5), (-10, 10)),
    "left_wrist": ((-40, 40), (-30, 30), (-70, 70)),
    "left_hand": ((-10, 10), (-15, 15), (-70, 20)),
}
_DUAL_QUATERNION_SHARE = 0.75  # all of it bulges at strongly bent joints
_DAMPING, _RIDGE = 1e-2, 2.5e-4
_SMALLEST_OFFSET = 5e-5  # metres; below it, a number only costs space


def fit(points, joints, weights, mirror, rng, num_poses=400):
    """Fits the blend shapes of all joints.

    Args:
      points: (V, 3) rest shape, metres.
      joints: (24, 3) its joints.
      weights: (V, 24) skin weights.
      mirror: (V,) index of each vertex's reflection.
      rng: numpy Generator, draws the poses.
      num_poses: rotations drawn for each joint.

    Returns:
      (V, 3, 207) symmetric offsets, metres per unit of R - I: joints from 1 on, matrices by rows.
    """
    offsets = np.zeros([len(points), 3, len(skeleton.SMPL_JOINTS) - 1, 9])
    moved_by = weights @ _is_below()
    for name, limits in tqdm(RANGE_OF_MOTION_DEG.items(), desc="pose blend shapes", leave=False):
        joint = skeleton.SMPL_JOINTS.index(name)
        moved = moved_by[:, joint]
        blended = np.flatnonzero((moved > 0.003) & (moved < 0.997))
        rotations = draw_rotations(rng, limits, num_poses)
        found = fit_joint(points[blended], moved[blended], joints[joint], rotations)
        # Its reflection is added below: to the other side, or onto the same joint of the middle.
        is_middle = skeleton.mirror(skeleton.SMPL_JOINTS)[joint] == joint
        offsets[blended, :, joint - 1] = found / 2 if is_middle else found
    offsets += reflected(offsets, mirror)
    offsets[np.abs(offsets) < _SMALLEST_OFFSET] = 0.0
    return offsets.reshape(len(points), 3, -1)


def fit_joint(points, moved, centre, rotations):
    """Fits the offsets of one joint.

    Args:
      points: (V, 3) rest points near it, metres.
      moved: (V,) the share of each point that turns with the joint.
      centre: (3,) the joint.
      rotations: (N, 3, 3) over its range of motion.

    Returns:
      (V, 3, 9) metres per unit of R - I.
    """
    gap = dual_quaternion_skin(points, moved, centre, rotations)
    gap -= linear_skin(points, moved, centre, rotations)
    blend = _blended_matrices(
        moved, rotations
    )  # skinning will turn the offsets by these, so turn them back
    # Damped, for a half-turn's blend is nearly singular and its inverse would explode.
    square = np.einsum("nvab,nvac->nvbc", blend, blend) + _DAMPING * np.eye(3)
    right = _DUAL_QUATERNION_SHARE * np.einsum("nvab,nva->nvb", blend, gap)
    wanted = np.linalg.solve(square, right[..., None])[..., 0]
    features = (rotations - np.eye(3)).reshape(-1, 9)
    normal = features.T @ features + _RIDGE * len(rotations) * np.eye(9)
    found = np.linalg.solve(normal, features.T @ wanted.reshape(len(rotations), -1))
    return np.moveaxis(found.reshape(9, len(points), 3), 0, -1)


def linear_skin(points, moved, centre, rotations):
    """Points (V, 3) whose shares `moved` (V,) turn about `centre`, blended linearly: (N, V, 3)."""
    turned = np.einsum("nab,vb->nva", rotations, points - centre) + centre
    return (1 - moved)[:, None] * points + moved[:, None] * turned


def dual_quaternion_skin(points, moved, centre, rotations):
    """The same with blended dual quaternions, so that every point moves rigidly: (N, V, 3)."""
    quaternions = Rotation.from_matrix(rotations).as_quat()  # x, y, z, w
    quaternions *= np.where(quaternions[:, 3:] < 0, -1.0, 1.0)  # the short way round
    turn, real = quaternions[:, None, :3], quaternions[:, None, 3:]
    shift = (centre - rotations @ centre)[:, None]
    dual_turn = (real * shift + np.cross(shift, turn)) / 2
    dual_real = -np.sum(shift * turn, -1, keepdims=True) / 2
    # The part that stays has the unit quaternion (0, 0, 0, 1) and dual part 0.
    share = moved[:, None]
    real = 1 - share + share * real
    length = np.sqrt(real**2 + np.sum((share * turn) ** 2, -1, keepdims=True))
    real, turn = real / length, share * turn / length
    dual_real, dual_turn = share * dual_real / length, share * dual_turn / length
    shift = 2 * (real * dual_turn - dual_real * turn + np.cross(turn, dual_turn))
    return points + 2 * np.cross(turn, np.cross(turn, points) + real * points) + shift


def draw_rotations(rng, limits_deg, count):
    """(3 x (low, high)) degrees -> (count, 3, 3) rotations; small ones are drawn more often."""
    low, high = np.radians(limits_deg).T
    axis_angle = rng.uniform(low, high, [count, 3]) * rng.uniform(0.2, 1.0, [count, 1])
    return Rotation.from_rotvec(axis_angle).as_matrix()


def reflected(offsets, mirror):
    """Offsets (V, 3, 23, 9) of the reflected body: other vertices, other joints, other signs."""
    sides = np.array(skeleton.mirror(skeleton.SMPL_JOINTS))[1:] - 1
    signs = REFLECT[:, None, None] * np.outer(REFLECT, REFLECT).ravel()
    return offsets[mirror][:, :, sides] * signs


def _blended_matrices(moved, rotations):
    share = moved[:, None, None]
    return (1 - share) * np.eye(3) + share * rotations[:, None]


def _is_below():
    """(24, 24) with 1 at [j, k] where joint k carries joint j: itself or one of its ancestors."""
    below = np.eye(len(skeleton.SMPL_JOINTS))
    for joint, parent in enumerate(skeleton.SMPL_PARENTS):
        if parent >= 0:
            below[joint] += below[parent]
    return below
