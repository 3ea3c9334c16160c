"""The body before it is posed: its shape alone."""

import numpy as np

from hmr_tf.body.theta import NUM_BETAS


def rest_body(model, betas=None):
    """The T-posed body of a shape.

    Args:
      model: `body_model.BodyModel`.
      betas: (10,) shape coefficients; None: the mean shape.

    Returns:
      (V, 3) vertices and (J, 3) joints, metres, y up, facing +z.

    Raises:
      ValueError: betas of another shape, or not finite.
    """
    betas = np.zeros(NUM_BETAS) if betas is None else np.asarray(betas, np.float64)
    if betas.shape != (NUM_BETAS,) or not np.isfinite(betas).all():
        raise ValueError(f"betas must be ({NUM_BETAS},), finite; received shape {betas.shape}")
    vertices = model.v_template + model.shapedirs @ betas
    return vertices, model.joint_regressor @ vertices


def rest_joints(model, betas):
    """(..., 10) betas -> (..., J, 3) joints of T-posed bodies, without building their meshes."""
    template = model.joint_regressor @ model.v_template
    per_beta = np.einsum("jv,vcs->sjc", model.joint_regressor, model.shapedirs)
    return template + np.tensordot(np.asarray(betas, np.float64), per_beta, axes=1)
