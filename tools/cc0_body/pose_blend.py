"""Pose blend shapes: they correct most artefacts of linear skinning at bent and twisted joints.

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

# Lowest and highest axis-angle components, degrees, about x, y and z; right sides are reflected.
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
_DUAL_QUATERNION_SHARE = 0.75  # 1 would bulge at strongly bent joints
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
    moved_by = weights @ _descendants()
    for name, limits in tqdm(RANGE_OF_MOTION_DEG.items(), desc="pose blend shapes", leave=False):
        joint = skeleton.SMPL_JOINTS.index(name)
        moved = moved_by[:, joint]
        blended = np.flatnonzero((moved > 0.003) & (moved < 0.997))
        rotations = draw_rotations(rng, limits, num_poses)
        joint_offsets = fit_joint(points[blended], moved[blended], joints[joint], rotations)
        # Its reflection is added below: to the other side, or onto the same joint of the middle.
        is_middle = skeleton.mirror(skeleton.SMPL_JOINTS)[joint] == joint
        offsets[blended, :, joint - 1] = joint_offsets / 2 if is_middle else joint_offsets
    offsets += reflected(offsets, mirror)
    offsets[np.abs(offsets) < _SMALLEST_OFFSET] = 0.0
    return offsets.reshape(len(points), 3, -1)


def fit_joint(points, moved, centre, rotations):
    """Fits the offsets of one joint.

    Args:
      points: (V, 3) rest points near it, metres.
      moved: (V,) the share of each point that rotates with the joint.
      centre: (3,) the joint.
      rotations: (N, 3, 3) over its range of motion.

    Returns:
      (V, 3, 9) metres per unit of R - I.
    """
    gap = dual_quaternion_skin(points, moved, centre, rotations)
    gap -= linear_skin(points, moved, centre, rotations)
    blend = _blended_matrices(moved, rotations)  # skinning rotates the offsets by these
    # Damped, because the blend of a rotation by 180 degrees is nearly singular.
    square = np.einsum("nvab,nvac->nvbc", blend, blend) + _DAMPING * np.eye(3)
    right = _DUAL_QUATERNION_SHARE * np.einsum("nvab,nva->nvb", blend, gap)
    targets = np.linalg.solve(square, right[..., None])[..., 0]
    features = (rotations - np.eye(3)).reshape(-1, 9)
    normal = features.T @ features + _RIDGE * len(rotations) * np.eye(9)
    solution = np.linalg.solve(normal, features.T @ targets.reshape(len(rotations), -1))
    return np.moveaxis(solution.reshape(9, len(points), 3), 0, -1)


def linear_skin(points, moved, centre, rotations):
    """Points whose shares `moved` rotate about `centre`, linearly blended: (N, V, 3)."""
    rotated = np.einsum("nab,vb->nva", rotations, points - centre) + centre
    return (1 - moved)[:, None] * points + moved[:, None] * rotated


def dual_quaternion_skin(points, moved, centre, rotations):
    """The same with blended dual quaternions: every point moves rigidly. (N, V, 3)."""
    quaternions = Rotation.from_matrix(rotations).as_quat()  # x, y, z, w
    quaternions *= np.where(quaternions[:, 3:] < 0, -1.0, 1.0)  # the short way round
    vector, real = quaternions[:, None, :3], quaternions[:, None, 3:]
    translation = (centre - rotations @ centre)[:, None]
    dual_vector = (real * translation + np.cross(translation, vector)) / 2
    dual_real = -np.sum(translation * vector, -1, keepdims=True) / 2
    # The share that does not move has the unit quaternion (0, 0, 0, 1) and dual part 0.
    share = moved[:, None]
    real = 1 - share + share * real
    length = np.sqrt(real**2 + np.sum((share * vector) ** 2, -1, keepdims=True))
    real, vector = real / length, share * vector / length
    dual_real, dual_vector = share * dual_real / length, share * dual_vector / length
    translation = 2 * (real * dual_vector - dual_real * vector + np.cross(vector, dual_vector))
    return points + 2 * np.cross(vector, np.cross(vector, points) + real * points) + translation


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


def _descendants():
    """(24, 24) with 1 at [j, k] if joint k is joint j or one of its ancestors."""
    moved_by = np.eye(len(skeleton.SMPL_JOINTS))
    for joint, parent in enumerate(skeleton.SMPL_PARENTS):
        if parent >= 0:
            moved_by[joint] += moved_by[parent]
    return moved_by
