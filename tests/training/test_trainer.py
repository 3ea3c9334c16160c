import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.training import losses
from hmr_tf.training.trainer import discriminator_inputs
from tests.fakes import tiny_hmr


@pytest.fixture
def batch_and_mocap(rng):
    return tiny_hmr.data(rng)


def values(variables):
    return [variable.numpy() for variable in variables]


def changed(before, variables):
    return [not np.array_equal(a, b) for a, b in zip(before, values(variables))]


def test_train_step_updates_encoder_regressor_and_discriminator(tmp_path, batch_and_mocap):
    trainer = tiny_hmr.trainer(tmp_path)
    trained = trainer.hmr.trainable_variables + trainer.discriminator.trainable_variables
    before = values(trained)
    logs = trainer.train_step(batch_and_mocap)
    assert all(changed(before, trained))
    assert trainer.step == 1
    assert set(logs) == {
        *(f"encoder/{name}" for name in ("keypoints", "joints", "smpl", "adversarial", "total")),
        *(f"discriminator/{name}" for name in ("real", "fake", "total")),
        *(f"keypoints_by_stage/{stage}" for stage in (1, 2, 3)),
        *(f"camera/{name}" for name in ("scale_mean", "scale_std", "x_std", "y_std")),
        *("betas/std", "betas/size", "pose/upright", "scores/real", "scores/fake"),
    }
    assert logs["scores/fake"].shape == logs["scores/real"].shape == (12, 25)
    np.testing.assert_allclose(logs["keypoints_by_stage/3"], logs["encoder/keypoints"])


def test_train_step_gradients_stay_in_their_network(tmp_path, batch_and_mocap):
    trainer = tiny_hmr.trainer(tmp_path, loss_weights=losses.LossWeights(0.0, 0.0, 0.0))
    before = values(trainer.hmr.trainable_variables + trainer.discriminator.trainable_variables)
    trainer.train_step(batch_and_mocap)
    assert not any(
        changed(before, trainer.hmr.trainable_variables + trainer.discriminator.trainable_variables)
    )

    # With a learning rate of zero on one side, only the other side moves.
    trainer = tiny_hmr.trainer(tmp_path)
    trainer.encoder_optimizer.learning_rate = 0.0
    encoder, discriminator = (
        values(trainer.hmr.trainable_variables),
        values(trainer.discriminator.trainable_variables),
    )
    trainer.train_step(batch_and_mocap)
    assert not any(changed(encoder, trainer.hmr.trainable_variables))
    assert all(changed(discriminator, trainer.discriminator.trainable_variables))


def test_train_step_takes_both_gradients_before_either_update(tmp_path, batch_and_mocap):
    """The original's one session.run: the discriminator does not see the encoder's new weights."""
    still, moving = tiny_hmr.trainer(tmp_path), tiny_hmr.trainer(tmp_path)
    still.encoder_optimizer.learning_rate = 0.0
    for trainer in (still, moving):
        trainer.hmr.regressor.dropout_rate = 0.0
        trainer.train_step(batch_and_mocap)
    for a, b in zip(
        still.discriminator.trainable_variables, moving.discriminator.trainable_variables
    ):
        np.testing.assert_array_equal(a, b)


def test_discriminator_inputs_are_all_stages_without_the_global_rotation(tmp_path, batch_and_mocap):
    trainer = tiny_hmr.trainer(tmp_path)
    stages = trainer.hmr(batch_and_mocap[0]["image"])
    rotations, betas = discriminator_inputs(stages)
    assert rotations.shape == (12, 23, 3, 3)
    np.testing.assert_array_equal(rotations[4:8], stages[1].rotations[:, 1:])
    np.testing.assert_array_equal(betas[8:], stages[2].betas)


def test_train_step_without_the_discriminator(tmp_path, batch_and_mocap):
    trainer = tiny_hmr.trainer(tmp_path, discriminator=False)
    before = values(trainer.hmr.trainable_variables)
    logs = trainer.train_step((batch_and_mocap[0], {}))
    assert all(changed(before, trainer.hmr.trainable_variables))
    assert not [name for name in logs if "discriminator" in name or "adversarial" in name]


def test_train_step_lowers_the_loss(tmp_path, batch_and_mocap):
    trainer = tiny_hmr.trainer(tmp_path, discriminator=False)
    step = tf.function(trainer.train_step)
    history = [float(step((batch_and_mocap[0], {}))["encoder/total"]) for _ in range(30)]
    assert np.mean(history[-5:]) < 0.9 * np.mean(history[:5])


def test_xla_gives_the_same_losses(tmp_path, batch_and_mocap):
    """Dropout included: its random numbers are drawn outside."""
    logs = []
    for xla in (False, True):
        step = tf.function(tiny_hmr.trainer(tmp_path, xla=xla).train_step)
        step(batch_and_mocap)
        logs.append(tiny_hmr.numbers(step(batch_and_mocap)))
    assert logs[0] == pytest.approx(logs[1], rel=1e-4)


def test_dropout_follows_from_seed_and_step(tmp_path, batch_and_mocap):
    def losses_at(step, seed):
        trainer = tiny_hmr.trainer(tmp_path, seed=seed)
        trainer.steps_done.assign(step)
        return tiny_hmr.numbers(trainer.train_step(batch_and_mocap))["encoder/total"]

    first, again, later, other = (losses_at(*x) for x in ((5, 1), (5, 1), (6, 1), (5, 2)))
    assert first == again
    assert len({first, later, other}) == 3
