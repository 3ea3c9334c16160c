"""The numbers of the original HMR (TF1, akanazawa/hmr@f149abe), reached by this code.

Goldens, inputs and bars stand in tests/golden.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, camera
from hmr_tf.body.rotation import matrix_from_axis_angle, procrustes_align
from hmr_tf.body.skeleton import SMPL_PARENTS, centred_on_hips
from hmr_tf.body.smpl import SMPL
from hmr_tf.evaluation import metrics
from hmr_tf.networks import tf1_checkpoint
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.networks.encoder import resnet_v2_50
from hmr_tf.networks.hmr import HMR, IterativeRegressor
from hmr_tf.training import losses
from hmr_tf.training.trainer import Trainer, adam, discriminator_inputs
from tests.golden import body as golden_body
from tests.golden import compare, golden_checkpoint, golden_inputs

SIZE = 224
ENCODER_RATE, CRITIC_RATE = 1e-5, 1e-4
# Ours, the golden's column of `loss_history`, and the weight the original multiplies in.
LOSS_HISTORY = (
    ("encoder/total", 1.0),
    ("encoder/keypoints", 60.0),
    ("encoder/adversarial", 1.0),
    ("encoder/smpl", 60.0),
    ("encoder/joints", 60.0),
    ("discriminator/total", 1.0),
)


def within(name, error):
    """`error` is under the bar of the table `compare.BARS`."""
    bar = compare.BARS[name]
    assert np.all(np.asarray(error) <= bar), f"{name}: {error}, bar {bar}"


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    """The synthetic body of 600 vertices, from a pickle like the published one."""
    path = tmp_path_factory.mktemp("smpl") / "mini.pkl"
    golden_body.write_pickle(path)
    return SMPL(body_model.read_model(path))


def gradients(function, *inputs):
    """Value and gradients of a scalar function of numpy arrays."""
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    return value, tape.gradient(value, inputs)


# Body


def test_rodrigues():
    golden = compare.load("rodrigues")
    axis_angle = tf.constant(golden["theta"])
    with tf.GradientTape() as tape:
        tape.watch(axis_angle)
        matrices = tf.reshape(matrix_from_axis_angle(axis_angle), [-1, 9])
    jacobian = tape.batch_jacobian(matrices, axis_angle)
    error = compare.max_abs(tf.reshape(matrices, [-1, 3, 3]), golden["R"])
    within("rodrigues.R", error)
    error = compare.max_abs(jacobian, golden["dR_dtheta"])
    within("rodrigues.dR_dtheta", error)


@pytest.mark.parametrize("chumpy", [True, False])
@pytest.mark.parametrize("select", [True, False])
def test_smpl_pickle_holds_the_arrays_it_was_made_of(tmp_path, select, chumpy):
    path = tmp_path / "mini.pkl"
    truth = golden_body.write_pickle(path, chumpy=chumpy, select=select)
    model = body_model.read_model(path)
    for name, key in (
        ("v_template", "v_template"),
        ("shapedirs", "shapedirs"),
        ("posedirs", "posedirs"),
        ("lbs_weights", "weights"),
        ("joint_regressor", "J_regressor"),
        ("keypoint_regressor", "cocoplus_regressor"),
        ("faces", "f"),
    ):
        np.testing.assert_array_equal(getattr(model, name), truth[key], err_msg=name)
    np.testing.assert_array_equal(model.parents, SMPL_PARENTS)


def test_smpl(smpl):
    golden = compare.load("smpl_600")
    betas, pose = golden_inputs.smpl_inputs()
    pose = pose.reshape(-1, 24, 3)
    body = smpl(tf.constant(pose), tf.constant(betas))
    for ours, key in (
        (tf.gather(body.vertices, golden["vert_ids"], axis=1), "verts"),
        (body.joints3d, "joints_cocoplus"),
        (body.lsp_joints, "joints_lsp"),
        (body.smpl_joints, "J_transformed"),
    ):
        error = compare.max_abs(ours, golden[key])
        within("smpl.verts/joints/J_transformed", error)
    within("rodrigues.R", compare.max_abs(body.rotations, golden["Rs"]))


@pytest.mark.parametrize("with_vertices", [True, False])
def test_smpl_gradients(smpl, with_vertices):
    """`joints_only` is the path that training differentiates."""
    golden = compare.load("smpl_600")
    betas, pose = golden_inputs.smpl_inputs()
    weights = golden_inputs.rng("smpl_w").standard_normal((6, 19, 3)).astype(np.float32)
    posed = smpl if with_vertices else smpl.joints_only

    def value(pose, betas):
        return tf.reduce_sum(weights * posed(tf.reshape(pose, [-1, 24, 3]), betas).joints3d)

    _, (of_pose, of_betas) = gradients(value, pose, betas)
    for ours, key in ((of_pose, "grad_theta"), (of_betas, "grad_beta")):
        error = compare.max_abs(ours, golden[key])
        within("smpl.grad_beta/grad_theta", error)


def test_projection():
    golden = compare.load("projection")
    ours = camera.project(tf.constant(golden["X"]), tf.constant(golden["cam"]))
    within("projection.out", compare.max_abs(ours, golden["out"]))


# Losses and metrics


@pytest.mark.parametrize("case", ["part", "all", "none", "one", "soft"])
def test_keypoint_loss(case):
    golden = compare.load("losses")
    labels, predicted = golden[f"kp_{case}_gt"], golden[f"kp_{case}_pred"]
    count = num_nonzero(labels[..., 2])
    loss, (gradient,) = gradients(lambda x: losses.keypoints(labels, x, count), predicted)
    _check_loss(golden, f"kp_{case}", loss, gradient)


@pytest.mark.parametrize("width", [42, 226])
@pytest.mark.parametrize("case", ["all", "some", "none"])
def test_3d_loss(case, width):
    golden, key = compare.load("losses"), f"l3d_{case}_{width}"
    labels, predicted, has = (golden[f"{key}_{part}"] for part in ("gt", "pred", "has"))
    count = num_nonzero(has)
    loss, (gradient,) = gradients(lambda x: losses.squared_3d(labels, x, has, count), predicted)
    _check_loss(golden, key, loss, gradient)


def num_nonzero(weights):
    return tf.math.count_nonzero(weights, dtype=tf.float32)


def _check_loss(golden, key, loss, gradient):
    """The bar of the losses is relative; the gradients keep it too."""
    for ours, part in ((loss, "loss"), (gradient, "grad")):
        error = compare.rel_l2(ours, golden[f"{key}_{part}"])
        within("losses.*_loss", error)


def test_hips_to_the_origin():
    golden = compare.load("losses")
    ours = centred_on_hips(golden["pelvis_in"])
    np.testing.assert_allclose(ours, golden["pelvis_out"], atol=1e-6)


def test_metrics():
    """In float64 and mm; the bar is relative, and absolute where the truth is met exactly."""
    golden, bar = compare.load("metrics"), compare.BARS["metrics.*"]
    truth, predicted = (centred_on_hips(golden[key]) for key in ("gt", "pred"))
    for ours, key in (
        (truth, "pelvis"),
        (1e3 * metrics.mpjpe(predicted, truth), "mpjpe_mm"),
        (1e3 * metrics.pa_mpjpe(predicted, truth), "pa_mpjpe_mm"),
        (1e3 * metrics.pa_mpjpe(golden["pred"], golden["gt"]), "pa_mpjpe_mm"),
        (procrustes_align(golden["pred"], golden["gt"]), "procrustes"),
    ):
        np.testing.assert_allclose(ours, golden[key], rtol=bar, atol=bar, err_msg=key)


# Networks


def set_by_rule(names, mean):
    """The value rule of the goldens, for every variable; the start is `mean`, or by the rule."""
    manifest = {variable.name: variable for variable in golden_checkpoint.variables()}
    for name, variable in names.items():
        value = golden_checkpoint.value(manifest[name])
        variable.assign(value.reshape(variable.shape))
    if mean is not None:
        names["mean_param"].assign(mean)


@pytest.fixture(scope="module")
def networks(smpl):
    """hmr, discriminator and their variables by TF1's names; tests set the values."""
    regressor = IterativeRegressor(golden_inputs.mean_theta())
    hmr, discriminator = HMR(resnet_v2_50(SIZE), regressor, smpl), Discriminator()
    hmr(tf.zeros([1, SIZE, SIZE, 3]))
    return SimpleNamespace(
        hmr=hmr, discriminator=discriminator, names=tf1_checkpoint.variables(hmr, discriminator)
    )


def test_every_variable_of_the_original_is_there(networks):
    manifest = list(golden_checkpoint.variables())
    body = set(golden_body.TF1_LAYOUT)
    inference = {v.name for v in manifest if v.in_inference} - body
    ours = set(networks.names)
    assert {name for name in ours if not name.startswith("D/")} == inference
    trainable = networks.hmr.trainable_variables + networks.discriminator.trainable_variables
    trained = {variable.ref() for variable in trainable}
    golden = {v.name for v in manifest if v.is_trained}
    assert {name for name, v in networks.names.items() if v.ref() in trained} == golden


@pytest.fixture(scope="module")
def inference(networks):
    """Features, the encoder's inside and the stages for two images, as numpy arrays."""
    set_by_rule(networks.names, mean=None)
    hmr, encoder = networks.hmr, networks.hmr.encoder
    layers = {
        "conv1": "conv1",
        "pool1": "pool1",
        "block1_unit1": "block1_unit_1_bottleneck_v2_add",
        "block1_unit3": "block1_unit_3_bottleneck_v2_add",
        "block2_unit1": "block2_unit_1_bottleneck_v2_add",
        "block2_unit4": "block2_unit_4_bottleneck_v2_add",
        "block3_unit1": "block3_unit_1_bottleneck_v2_add",
        "block3_unit6": "block3_unit_6_bottleneck_v2_add",
        "block4_unit3": "block4_unit_3_bottleneck_v2_add",
    }
    outputs = {key: encoder.get_layer(name).output for key, name in layers.items()}
    inside = tf.keras.Model(encoder.input, {**outputs, "features": encoder.output})
    images = tf.constant(golden_inputs.images(2))
    per_layer = {key: value.numpy() for key, value in inside(images, training=False).items()}
    stages = [hmr.with_mesh(stage) for stage in hmr(images, training=False)]
    features = per_layer.pop("features")
    return SimpleNamespace(features=features, inside=per_layer, stages=stages)


def test_encoder_features(inference):
    golden = compare.load("resnet")["features"]
    within("resnet.features", compare.max_over_rms(inference.features, golden))


def test_inside_of_the_encoder(inference):
    """Blocks and corners: where a padding or a stride of another kind shows first."""
    golden = compare.load("resnet")
    assert {key[: -len("_sub")] for key in golden if key.endswith("_sub")} == set(inference.inside)
    for name, x in inference.inside.items():
        assert x.shape == tuple(golden[f"{name}_shape"])
        step = int(golden[f"{name}_step"])
        scale = np.sqrt((golden[f"{name}_sub"] ** 2).mean())
        for part, ours in (
            ("sub", x[:, ::step, ::step, ::16]),
            ("corner", x[:, :3, :3, ::8]),
            ("far_corner", x[:, -3:, -3:, ::8]),
            ("mean", x.mean((1, 2))),
            ("std", x.std((1, 2))),
        ):
            error = compare.max_abs(ours, golden[f"{name}_{part}"]) / scale
            within("resnet.features", error)


def test_whole_model(inference):
    golden = compare.load("runmodel_600")
    for number, stage in enumerate(inference.stages):
        vertices = tf.gather(stage.vertices, golden["vert_ids"], axis=1)
        for ours, key, bar in (
            (stage.theta, "theta_stages", "runmodel.theta_stages"),
            (stage.camera, "cams_stages", "runmodel.theta_stages"),
            (stage.joints3d, "joints3d_stages", "runmodel.verts/joints3d (m)"),
            (vertices, "verts_stages", "runmodel.verts/joints3d (m)"),
        ):
            within(bar, compare.max_abs(ours, golden[key][number]))
        ours, theirs = (
            camera.pixels_from_norm(x, SIZE)
            for x in (stage.keypoints2d_norm, golden["kp2d_norm_stages"][number])
        )
        within("runmodel.predict_joints (px)", compare.max_abs(ours, theirs))
    last = inference.stages[-1]
    error = compare.max_abs(last.smpl_joints, golden["J_transformed_last"])
    within("runmodel.verts/joints3d (m)", error)
    pixels = camera.pixels_from_norm(last.keypoints2d_norm, SIZE)
    error = compare.max_abs(pixels, golden["predict_joints"])
    within("runmodel.predict_joints (px)", error)


def test_discriminator(networks):
    golden = compare.load("discriminator")
    discriminators = {k: v for k, v in networks.names.items() if k.startswith("D/")}
    set_by_rule(discriminators, mean=None)
    rotations = golden["rotations"].reshape(-1, 23, 3, 3)
    scores = networks.discriminator((tf.constant(rotations), tf.constant(golden["shapes"])))
    within("discriminator.out", compare.max_abs(scores, golden["out"]))
    _, ours_by_input = gradients(
        lambda *bodies: tf.reduce_sum(golden["grad_w"] * networks.discriminator(bodies)),
        rotations,
        golden["shapes"],
    )
    for ours, key in zip(ours_by_input, ("grad_rot", "grad_shape")):
        error = compare.max_abs(ours.numpy().reshape(golden[key].shape), golden[key])
        within("discriminator.grad_*", error)


# Training


def train_data():
    """(batch, mocap) of the golden training step, in the pipeline's form."""
    batch, pose, betas = golden_inputs.training_batch()
    rotations = matrix_from_axis_angle(tf.constant(pose.reshape(-1, 24, 3)))
    mocap = {"rotations": rotations[:, 1:], "betas": tf.constant(betas)}
    return {key: tf.constant(value) for key, value in batch.items()}, mocap


@pytest.fixture(scope="module")
def training(networks):
    """Three steps of the trainer, and what they left, by TF1's names."""
    hmr, discriminator, names = networks.hmr, networks.discriminator, networks.names
    batch, mocap = train_data()
    hmr.regressor.dropout_rate = 0.0
    mean = golden_inputs.mean_theta()
    set_by_rule(names, mean)
    stages = hmr(batch["image"], training=True)
    scores = [
        discriminator((mocap["rotations"], mocap["betas"])),
        discriminator(discriminator_inputs(stages)),
    ]
    set_by_rule(names, mean)  # that pass moved the batch norms

    trainer = Trainer(hmr, discriminator)
    trainer.compile(adam(ENCODER_RATE), adam(CRITIC_RATE))
    step = tf.function(trainer.train_step)
    result = SimpleNamespace(stages=stages, scores=tf.concat(scores, 0), batch=batch, logs=[])
    result.before = {name: v.numpy() for name, v in names.items()}
    result.logs.append(numbers(step((batch, mocap))))
    result.after = {name: v.numpy() for name, v in names.items()}
    result.gradients = _first_gradients(trainer, names)
    result.logs += [numbers(step((batch, mocap))) for _ in range(2)]
    return result


def numbers(logs):
    return {name: float(value) for name, value in logs.items() if value.shape.rank == 0}


def _first_gradients(trainer, names):
    """After one step Adam's first moment is a tenth of the gradient."""
    by_name = {}
    for optimizer, variables in (
        (trainer.encoder_optimizer, trainer.hmr.trainable_variables),
        (trainer.discriminator_optimizer, trainer.discriminator.trainable_variables),
    ):
        ours = {v.ref(): optimizer.get_slot(v, "m").numpy() / 0.1 for v in variables}
        by_name.update({name: ours[v.ref()] for name, v in names.items() if v.ref() in ours})
    return by_name


def _of_resnet(name):
    return name.startswith("resnet")


def _kind(name):
    """How `compare.BARS` calls the group of a variable."""
    return "(resnet, not conv biases)" if _of_resnet(name) else "(3D_module, mean_param, D)"


def test_training_pass(training):
    golden, bar = compare.load("train_step"), "train_step.theta_stages/d_out"
    for number, stage in enumerate(training.stages):
        for ours, key in (
            (stage.theta, "theta_stages"),
            (stage.keypoints2d_norm, "kp2d_stages"),
            (stage.joints3d, "joints3d_stages"),
        ):
            within(bar, compare.max_abs(ours, golden[key][number]))
        labels = training.batch["keypoints2d_norm"]
        count = num_nonzero(labels[..., 2])
        loss = losses.keypoints(labels, stage.keypoints2d_norm, count)
        error = compare.rel_l2(loss, golden[f"loss_kp_stage{number}_unweighted"])
        within("train_step.loss_* (step 1)", error)
    within(bar, compare.max_abs(training.scores, golden["d_out"]))


def test_losses_of_three_steps(training):
    golden = compare.load("train_step")
    ours = np.array(
        [[logs[key] * weight for key, weight in LOSS_HISTORY] for logs in training.logs]
    )
    error = np.abs(ours / golden["loss_history"] - 1).max(axis=1)
    within("train_step.loss_* (step 1)", error[0])
    within("train_step.loss_history (steps 2, 3)", error[1:])
    for ours, key in (
        ("discriminator/real", "loss_d_loss_real"),
        ("discriminator/fake", "loss_d_loss_fake"),
    ):
        error = compare.rel_l2(training.logs[0][ours], golden[key])
        within("train_step.loss_* (step 1)", error)


def test_gradients(training):
    golden = compare.load("train_step")
    names = [key[len("grad:") :] for key in golden if key.startswith("grad:")]
    for name in names:
        if compare.has_noise_gradient(name):
            continue
        ours = compare.sub(training.gradients[name])
        error = compare.rel_l2(ours, golden[f"grad:{name}"])
        within(f"train_step.grad {_kind(name)}", error)


def test_gradient_norms_of_all_variables(training):
    golden = compare.load("train_step")
    norms = dict(zip(golden["grad_norm_names"], golden["grad_norms"]))
    assert set(norms) == set(training.gradients)
    for name, norm in norms.items():
        if compare.has_noise_gradient(name):
            continue
        error = abs(np.linalg.norm(training.gradients[name].astype(np.float64)) / norm - 1)
        bar = "grad_norms" if _of_resnet(name) else "grad"
        within(f"train_step.{bar} {_kind(name)}", error)


def test_first_update_of_adam(training):
    golden = compare.load("train_step")
    names = [key[len("delta1:") :] for key in golden if key.startswith("delta1:")]
    for name in names:
        if compare.has_noise_gradient(name):
            continue
        delta = compare.sub(training.after[name] - training.before[name])
        rate = CRITIC_RATE if name.startswith("D/") else ENCODER_RATE
        error = compare.delta_check(delta, golden[f"delta1:{name}"], rate)
        within(f"train_step.delta1 {_kind(name)}", error)


def test_moving_statistics(training):
    golden = compare.load("train_step")
    for name in golden["bn_names"]:
        for ours, theirs in (("moving_mean", "mean"), ("moving_variance", "var")):
            error = compare.max_abs(
                compare.sub(training.after[f"{name}/{ours}"]),
                compare.sub(golden[f"bn1_{theirs}:{name}"]),
            )
            within("train_step.bn1_mean/bn1_var", error)
