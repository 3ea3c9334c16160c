"""The numbers of the original HMR (TF1, akanazawa/hmr@f149abe), reached by this code.

Goldens, inputs and bars are those of `shared/parity`; without that folder every test is skipped.
"""

import importlib.util
import re
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import camera, model_file
from hmr_tf.body.rotation import matrix_from_axis_angle, procrustes_align
from hmr_tf.body.skeleton import LSP_JOINTS, indices
from hmr_tf.body.smpl import SMPL
from hmr_tf.evaluation import metrics
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.networks.encoder import resnet_v2_50
from hmr_tf.networks.hmr import HMR, IterativeRegressor
from hmr_tf.training import losses
from hmr_tf.training.trainer import Trainer, adam, every_stage

SIZE = 224
ENCODER_RATE, CRITIC_RATE = 1e-5, 1e-4
HIPS = indices(("right_hip", "left_hip"), LSP_JOINTS)
TF1_NAMES = {"kernel": "weights", "bias": "biases"}
# Ours, the golden's column of `loss_history`, and the weight the original multiplies in.
LOSS_HISTORY = (
    ("encoder/total", 1.0),
    ("encoder/keypoints", 60.0),
    ("encoder/adversarial", 1.0),
    ("encoder/smpl", 60.0),
    ("encoder/joints", 60.0),
    ("critic/total", 1.0),
)


def within(parity, name, error):
    """`error` is under the bar of the table `golden.TOL`."""
    bar = parity.golden.TOL[name]["tol"]
    assert np.all(np.asarray(error) <= bar), f"{name}: {error}, bar {bar}"


@pytest.fixture(scope="module")
def parity(shared):
    """The library beside the goldens: `fixtures` and `golden`."""
    modules = {}
    for name in ("fixtures", "golden"):
        path = shared / "parity" / "lib" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"parity_{name}", path)
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return SimpleNamespace(**modules)


@pytest.fixture(scope="module")
def smpl(parity, tmp_path_factory):
    """The synthetic body of 600 vertices, from a pickle like the published one."""
    path = tmp_path_factory.mktemp("smpl") / "mini.pkl"
    parity.fixtures.mini_smpl(path, V=600)
    return SMPL(model_file.read_model(path))


def gradients(function, *inputs):
    """Value and gradients of a scalar function of numpy arrays."""
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    return value, tape.gradient(value, inputs)


# Body


def test_rodrigues(parity):
    golden = parity.golden.load("rodrigues")
    axis_angle = tf.constant(golden["theta"])
    with tf.GradientTape() as tape:
        tape.watch(axis_angle)
        matrices = tf.reshape(matrix_from_axis_angle(axis_angle), [-1, 9])
    jacobian = tape.batch_jacobian(matrices, axis_angle)
    error = parity.golden.max_abs(tf.reshape(matrices, [-1, 3, 3]), golden["R"])
    within(parity, "rodrigues.R", error)
    error = parity.golden.max_abs(jacobian, golden["dR_dtheta"])
    within(parity, "rodrigues.dR_dtheta", error)


@pytest.mark.parametrize("legacy_sparse", [True, False])
@pytest.mark.parametrize("select", [True, False])
def test_smpl_pickle_holds_the_arrays_it_was_made_of(parity, tmp_path, select, legacy_sparse):
    path = tmp_path / "mini.pkl"
    truth = parity.fixtures.mini_smpl(
        path, V=600, chumpy=True, select=select, legacy_sparse=legacy_sparse
    )
    model = model_file.read_model(path)
    for name, key in (
        ("v_template", "v_template"),
        ("shapedirs", "shapedirs"),
        ("posedirs", "posedirs"),
        ("weights", "weights"),
        ("joint_regressor", "J_regressor"),
        ("keypoint_regressor", "cocoplus_regressor"),
        ("faces", "f"),
    ):
        np.testing.assert_array_equal(getattr(model, name), truth[key], err_msg=name)
    np.testing.assert_array_equal(model.parents, parity.fixtures.PARENTS)


def test_smpl(parity, smpl):
    golden = parity.golden.load("smpl_600")
    betas, pose = parity.fixtures.smpl_inputs()
    pose = pose.reshape(-1, 24, 3)
    body = smpl(tf.constant(pose), tf.constant(betas))
    for ours, key in (
        (tf.gather(body.vertices, golden["vert_ids"], axis=1), "verts"),
        (body.keypoints, "joints_cocoplus"),
        (body.keypoints[:, : len(LSP_JOINTS)], "joints_lsp"),
        (body.joints, "J_transformed"),
    ):
        error = parity.golden.max_abs(ours, golden[key])
        within(parity, "smpl.verts/joints/J_transformed", error)
    within(parity, "rodrigues.R", parity.golden.max_abs(body.rotations, golden["Rs"]))


@pytest.mark.parametrize("with_vertices", [True, False])
def test_smpl_gradients(parity, smpl, with_vertices):
    """`joints_only` is the path that training differentiates."""
    golden = parity.golden.load("smpl_600")
    betas, pose = parity.fixtures.smpl_inputs()
    weights = parity.fixtures.rng("smpl_w").standard_normal((6, 19, 3)).astype(np.float32)
    posed = smpl if with_vertices else smpl.joints_only

    def value(pose, betas):
        return tf.reduce_sum(weights * posed(tf.reshape(pose, [-1, 24, 3]), betas).keypoints)

    _, (of_pose, of_betas) = gradients(value, pose, betas)
    for ours, key in ((of_pose, "grad_theta"), (of_betas, "grad_beta")):
        error = parity.golden.max_abs(ours, golden[key])
        within(parity, "smpl.grad_beta/grad_theta", error)


def test_projection(parity):
    golden = parity.golden.load("projection")
    ours = camera.project(tf.constant(golden["X"]), tf.constant(golden["cam"]))
    within(parity, "projection.out", parity.golden.max_abs(ours, golden["out"]))


# Losses and metrics


@pytest.mark.parametrize("case", ["part", "all", "none", "one", "soft"])
def test_keypoint_loss(parity, case):
    golden = parity.golden.load("losses")
    labels, predicted = golden[f"kp_{case}_gt"], golden[f"kp_{case}_pred"]
    loss, (gradient,) = gradients(lambda x: losses.keypoints(labels, x), predicted)
    _check_loss(parity, golden, f"kp_{case}", loss, gradient)


@pytest.mark.parametrize("width", [42, 226])
@pytest.mark.parametrize("case", ["all", "some", "none"])
def test_3d_loss(parity, case, width):
    golden, key = parity.golden.load("losses"), f"l3d_{case}_{width}"
    labels, predicted, has = (golden[f"{key}_{part}"] for part in ("gt", "pred", "has"))
    loss, (gradient,) = gradients(lambda x: losses.squared_3d(labels, x, has), predicted)
    _check_loss(parity, golden, key, loss, gradient)


def _check_loss(parity, golden, key, loss, gradient):
    """The bar of the losses is relative; the gradients keep it too."""
    for ours, part in ((loss, "loss"), (gradient, "grad")):
        error = parity.golden.rel_l2(ours, golden[f"{key}_{part}"])
        within(parity, "losses.*_loss", error)


def test_hips_to_the_origin(parity):
    golden = parity.golden.load("losses")
    ours = losses.centred_on_hips(golden["pelvis_in"])
    np.testing.assert_allclose(ours, golden["pelvis_out"], atol=1e-6)


def test_metrics(parity):
    """In float64 and mm; the bar is relative, and absolute where the truth is met exactly."""
    golden, bar = parity.golden.load("metrics"), parity.golden.TOL["metrics.*"]["tol"]
    truth, predicted = (metrics.centred(golden[key], HIPS) for key in ("gt", "pred"))
    for ours, key in (
        (truth, "pelvis"),
        (1e3 * metrics.mpjpe(predicted, truth), "mpjpe_mm"),
        (1e3 * metrics.pa_mpjpe(predicted, truth), "pa_mpjpe_mm"),
        (1e3 * metrics.pa_mpjpe(golden["pred"], golden["gt"]), "pa_mpjpe_mm"),
        (procrustes_align(golden["pred"], golden["gt"]), "procrustes"),
    ):
        np.testing.assert_allclose(ours, golden[key], rtol=bar, atol=bar, err_msg=key)


# Networks


def tf1_variables(hmr, critic):
    """TF1's name of every variable -> ours."""
    names = {"mean_param": hmr.regressor.mean}
    for layer in hmr.encoder.layers:
        scope = re.sub(r"^(block\d)_(unit_\d)_(bottleneck_v2)_", r"\1/\2/\3/", layer.name)
        scope = "resnet_v2_50/" + scope.replace("_BatchNorm", "/BatchNorm")
        names.update({f"{scope}/{_tf1_leaf(v)}": v for v in layer.weights})
    for name in ("fc1", "fc2", "fc3"):
        layer = getattr(hmr.regressor, name)
        names.update({f"3D_module/{name}/{_tf1_leaf(v)}": v for v in layer.weights})
    for variable in critic.weights:
        scope = variable.name.split("/")[-2]
        if scope.startswith("shape_fc1"):
            scope = f"shape_fc1/{scope}"
        names[f"D/{scope}/{_tf1_leaf(variable)}"] = variable
    return names


def _tf1_leaf(variable):
    leaf = variable.name.split("/")[-1].split(":")[0]
    return TF1_NAMES.get(leaf, leaf)


def set_by_rule(parity, names, mean):
    """The value rule of the goldens, for every variable; the start is `mean`, or by the rule."""
    shapes = {e["name"]: e["shape"] for e in parity.fixtures.load_manifest()["training"]}
    for name, variable in names.items():
        value = parity.fixtures.var_value(name, shapes[name])
        variable.assign(value.reshape(variable.shape))
    if mean is not None:
        names["mean_param"].assign(mean)


@pytest.fixture(scope="module")
def networks(parity, smpl):
    """hmr, critic and their variables by TF1's names; whoever uses them sets the values."""
    regressor = IterativeRegressor(parity.fixtures.mean_theta())
    hmr, critic = HMR(resnet_v2_50(SIZE), regressor, smpl), Discriminator()
    hmr(tf.zeros([1, SIZE, SIZE, 3]))
    return SimpleNamespace(hmr=hmr, critic=critic, names=tf1_variables(hmr, critic))


def test_every_variable_of_the_original_is_there(parity, networks):
    manifest = parity.fixtures.load_manifest()
    body = set(parity.fixtures.SMPL_VARS)
    inference = {e["name"] for e in manifest["inference"]} - body
    ours = set(networks.names)
    assert {name for name in ours if not name.startswith("D/")} == inference
    trained = {v.ref() for v in networks.hmr.trained + networks.critic.trainable_variables}
    golden = {e["name"] for e in manifest["training"] if e["trainable"]} - body
    assert {name for name, v in networks.names.items() if v.ref() in trained} == golden


@pytest.fixture(scope="module")
def inference(parity, networks):
    """Features, the encoder's inside and the stages for two images, as numpy arrays."""
    set_by_rule(parity, networks.names, mean=None)
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
    images = tf.constant(parity.fixtures.images(2))
    found = {key: value.numpy() for key, value in inside(images, training=False).items()}
    stages = [hmr.with_mesh(stage) for stage in hmr(images, training=False)]
    features = found.pop("features")
    return SimpleNamespace(features=features, inside=found, stages=stages)


def test_encoder_features(parity, inference):
    golden = parity.golden.load("resnet")["features"]
    within(parity, "resnet.features", parity.golden.max_over_rms(inference.features, golden))


def test_inside_of_the_encoder(parity, inference):
    """Blocks and corners: where a padding or a stride of another kind shows first."""
    golden = parity.golden.load("resnet")
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
            error = parity.golden.max_abs(ours, golden[f"{name}_{part}"]) / scale
            within(parity, "resnet.features", error)


def test_whole_model(parity, inference):
    golden = parity.golden.load("runmodel_600")
    for number, stage in enumerate(inference.stages):
        vertices = tf.gather(stage.vertices, golden["vert_ids"], axis=1)
        for ours, key, bar in (
            (stage.theta, "theta_stages", "runmodel.theta_stages"),
            (stage.camera, "cams_stages", "runmodel.theta_stages"),
            (stage.joints, "joints3d_stages", "runmodel.verts/joints3d (m)"),
            (vertices, "verts_stages", "runmodel.verts/joints3d (m)"),
        ):
            within(parity, bar, parity.golden.max_abs(ours, golden[key][number]))
        ours, theirs = (
            camera.pixels_from_norm(x, SIZE)
            for x in (stage.keypoints_norm, golden["kp2d_norm_stages"][number])
        )
        within(parity, "runmodel.predict_joints (px)", parity.golden.max_abs(ours, theirs))
    last = inference.stages[-1]
    error = parity.golden.max_abs(last.smpl_joints, golden["J_transformed_last"])
    within(parity, "runmodel.verts/joints3d (m)", error)
    pixels = camera.pixels_from_norm(last.keypoints_norm, SIZE)
    error = parity.golden.max_abs(pixels, golden["predict_joints"])
    within(parity, "runmodel.predict_joints (px)", error)


def test_critic(parity, networks):
    golden = parity.golden.load("discriminator")
    critics = {k: v for k, v in networks.names.items() if k.startswith("D/")}
    set_by_rule(parity, critics, mean=None)
    rotations = golden["rotations"].reshape(-1, 23, 3, 3)
    scores = networks.critic((tf.constant(rotations), tf.constant(golden["shapes"])))
    within(parity, "discriminator.out", parity.golden.max_abs(scores, golden["out"]))
    _, found = gradients(
        lambda *bodies: tf.reduce_sum(golden["grad_w"] * networks.critic(bodies)),
        rotations,
        golden["shapes"],
    )
    for ours, key in zip(found, ("grad_rot", "grad_shape")):
        error = parity.golden.max_abs(ours.numpy().reshape(golden[key].shape), golden[key])
        within(parity, "discriminator.grad_*", error)


# Training


def train_data(parity):
    """(batch, mocap) of the golden training step, in the pipeline's form."""
    data = parity.fixtures.train_batch(4)
    labels = data["label3d"]
    batch = {
        "image": data["image"],
        "keypoints_norm": data["label"],
        "rotations": labels[:, :216].reshape(-1, 24, 3, 3),
        "betas": labels[:, 216:226],
        "joints": labels[:, 226:].reshape(-1, 14, 3),
        "has_joints": data["has3d"][:, 0],
        "has_smpl": data["has3d"][:, 1],
    }
    pose = tf.constant(data["pose"].reshape(-1, 24, 3))
    mocap = {
        "rotations": matrix_from_axis_angle(pose)[:, 1:],
        "betas": tf.constant(data["shape"]),
    }
    return {key: tf.constant(value) for key, value in batch.items()}, mocap


@pytest.fixture(scope="module")
def training(parity, networks):
    """Three steps of the trainer, and what they left, by TF1's names."""
    hmr, critic, names = networks.hmr, networks.critic, networks.names
    batch, mocap = train_data(parity)
    hmr.regressor.dropout.rate = 0.0
    mean = parity.fixtures.mean_theta()
    set_by_rule(parity, names, mean)
    stages = hmr(batch["image"], training=True)
    scores = [critic((mocap["rotations"], mocap["betas"])), critic(every_stage(stages))]
    set_by_rule(parity, names, mean)  # that pass moved the batch norms

    trainer = Trainer(hmr, critic)
    trainer.compile(adam(ENCODER_RATE), adam(CRITIC_RATE))
    step = tf.function(trainer.train_step)
    found = SimpleNamespace(stages=stages, scores=tf.concat(scores, 0), batch=batch, logs=[])
    found.before = {name: v.numpy() for name, v in names.items()}
    found.logs.append({k: float(v) for k, v in step((batch, mocap)).items()})
    found.after = {name: v.numpy() for name, v in names.items()}
    found.gradients = _first_gradients(trainer, names)
    found.logs += [{k: float(v) for k, v in step((batch, mocap)).items()} for _ in range(2)]
    return found


def _first_gradients(trainer, names):
    """After one step Adam's first moment is a tenth of the gradient."""
    found = {}
    for optimizer, variables in (
        (trainer.encoder_optimizer, trainer.hmr.trained),
        (trainer.critic_optimizer, trainer.critic.trainable_variables),
    ):
        ours = {v.ref(): optimizer.get_slot(v, "m").numpy() / 0.1 for v in variables}
        found.update({name: ours[v.ref()] for name, v in names.items() if v.ref() in ours})
    return found


def _of_resnet(name):
    return name.startswith("resnet")


def _kind(name):
    """How `golden.TOL` calls the group of a variable."""
    return "(resnet, not conv biases)" if _of_resnet(name) else "(3D_module, mean_param, D)"


def test_training_pass(parity, training):
    golden, bar = parity.golden.load("train_step"), "train_step.theta_stages/d_out"
    for number, stage in enumerate(training.stages):
        for ours, key in (
            (stage.theta, "theta_stages"),
            (stage.keypoints_norm, "kp2d_stages"),
            (stage.joints, "joints3d_stages"),
        ):
            within(parity, bar, parity.golden.max_abs(ours, golden[key][number]))
        loss = losses.keypoints(training.batch["keypoints_norm"], stage.keypoints_norm)
        error = parity.golden.rel_l2(loss, golden[f"loss_kp_stage{number}_unweighted"])
        within(parity, "train_step.loss_* (step 1)", error)
    within(parity, bar, parity.golden.max_abs(training.scores, golden["d_out"]))


def test_losses_of_three_steps(parity, training):
    golden = parity.golden.load("train_step")
    ours = np.array(
        [[logs[key] * weight for key, weight in LOSS_HISTORY] for logs in training.logs]
    )
    error = np.abs(ours / golden["loss_history"] - 1).max(axis=1)
    within(parity, "train_step.loss_* (step 1)", error[0])
    within(parity, "train_step.loss_history (steps 2, 3)", error[1:])
    for ours, key in (("critic/real", "loss_d_loss_real"), ("critic/fake", "loss_d_loss_fake")):
        error = parity.golden.rel_l2(training.logs[0][ours], golden[key])
        within(parity, "train_step.loss_* (step 1)", error)


def test_gradients(parity, training):
    golden = parity.golden.load("train_step")
    names = [key[len("grad:") :] for key in golden if key.startswith("grad:")]
    for name in names:
        if parity.golden.has_noise_gradient(name):
            continue
        ours = parity.golden.sub(training.gradients[name])
        error = parity.golden.rel_l2(ours, golden[f"grad:{name}"])
        within(parity, f"train_step.grad {_kind(name)}", error)


def test_gradient_norms_of_all_variables(parity, training):
    golden = parity.golden.load("train_step")
    norms = dict(zip(golden["grad_norm_names"], golden["grad_norms"]))
    assert set(norms) == set(training.gradients)
    for name, norm in norms.items():
        if parity.golden.has_noise_gradient(name):
            continue
        error = abs(np.linalg.norm(training.gradients[name].astype(np.float64)) / norm - 1)
        bar = "grad_norms" if _of_resnet(name) else "grad"
        within(parity, f"train_step.{bar} {_kind(name)}", error)


def test_first_update_of_adam(parity, training):
    golden = parity.golden.load("train_step")
    names = [key[len("delta1:") :] for key in golden if key.startswith("delta1:")]
    for name in names:
        if parity.golden.has_noise_gradient(name):
            continue
        delta = parity.golden.sub(training.after[name] - training.before[name])
        rate = CRITIC_RATE if name.startswith("D/") else ENCODER_RATE
        error = parity.golden.delta_check(delta, golden[f"delta1:{name}"], rate)
        within(parity, f"train_step.delta1 {_kind(name)}", error)


def test_moving_statistics(parity, training):
    golden = parity.golden.load("train_step")
    for name in golden["bn_names"]:
        for ours, theirs in (("moving_mean", "mean"), ("moving_variance", "var")):
            error = parity.golden.max_abs(
                parity.golden.sub(training.after[f"{name}/{ours}"]),
                parity.golden.sub(golden[f"bn1_{theirs}:{name}"]),
            )
            within(parity, "train_step.bn1_mean/bn1_var", error)
