"""The file of the released network: written, read strictly, refused where it is not whole."""

import json

import numpy as np
import pytest

import hmr_tf
from hmr_tf.body import body_model
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.body.theta import split
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, encoder, released_weights
from hmr_tf.networks.build import Architecture
from tests.fakes import tiny_body, tiny_hmr
from tools import released_network

ARCHITECTURE = Architecture(encoder="resnet50", img_size=32, num_stage=2)


@pytest.fixture(scope="module", autouse=True)
def _small_encoder():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoder.ENCODERS, "resnet50", tiny_hmr.encoder)
        yield


@pytest.fixture(scope="module")
def hmr():
    """With weights that are not those of the start, moving statistics too."""
    rng = np.random.default_rng(0)
    made = build.build(ARCHITECTURE, build.read_body(ARCHITECTURE))
    for variable in released_weights.variables(made).values():
        variable.assign(variable + 0.005 * rng.normal(size=variable.shape))
    return made


@pytest.fixture(scope="module")
def content(hmr):
    weights = {name: variable.numpy() for name, variable in released_weights.variables(hmr).items()}
    digest = body_model.digest(build.read_body(ARCHITECTURE))
    weights = released_weights.stored_weights(weights)
    return released_weights.Released(ARCHITECTURE, digest, {"steps": [7]}, weights)


@pytest.fixture(scope="module")
def file(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "network.npz"
    released_weights.write(path, content)
    return path


def test_released_network_predicts_as_the_one_written(hmr, file, rng):
    loaded, body = released_weights.load_with_body(path=file)
    assert body_model.digest(body) == released_weights.read(file).body_digest
    assert (loaded.image_size, loaded.regressor.num_stage) == (32, 2)
    images = rng.uniform(-1, 1, size=(3, 32, 32, 3)).astype(np.float32)
    theta, wanted = (network(images, training=False)[-1].theta for network in (loaded, hmr))
    np.testing.assert_allclose(theta, wanted, atol=2e-3)


def test_released_network_stores_kernels_alone_as_float16(hmr, file):
    weights = released_weights.read(file).weights
    assert set(weights) == set(released_weights.variables(hmr))
    for name, values in weights.items():
        assert values.dtype == (np.float16 if name.endswith("/kernel") else np.float32), name
    assert {"encoder/norm/moving_variance", "regressor/mean_param"} < set(weights)


def test_released_network_has_all_variables_of_a_checkpoint(hmr):
    ours = {id(variable) for variable in released_weights.variables(hmr).values()}
    parts = checkpoint.hmr_parts(hmr).values()
    assert ours == {id(variable) for part in parts for variable in part.variables}


def test_released_network_is_the_same_bytes_each_time(content, file, tmp_path):
    released_weights.write(tmp_path / "again.npz", content)
    assert (tmp_path / "again.npz").read_bytes() == file.read_bytes()


def test_released_network_of_keras_resnet50_fits_into_60_mb():
    """Its kernels in float16, as the names of its variables say, without building the body."""
    network = encoder.resnet50(64)
    sizes = [
        released_weights.stored_dtype(weight.name.split(":")[0]).itemsize
        * int(np.prod(weight.shape))
        for weight in network.weights
    ]
    assert sum(sizes) + 7e6 < released_weights.MAX_BYTES


def test_released_network_that_is_missing_asks_for_a_load_path(tmp_path):
    with pytest.raises(InputError, match=r"no released network .*pass --load_path=FOLDER"):
        released_weights.read(tmp_path / "network.npz")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_released_network_cut_short_is_damaged(file, tmp_path, part):
    path = tmp_path / "network.npz"
    path.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(InputError, match=r"network\.npz is damaged: .*pass --load_path=FOLDER"):
        released_weights.read(path)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_released_network_with_one_other_byte_is_damaged(file, tmp_path, place):
    path, data = tmp_path / "network.npz", bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        released_weights.read(path)


def test_released_network_refuses_other_npz_files(tmp_path):
    path = tiny_body.write(tmp_path / "body.npz")
    with pytest.raises(InputError, match=r"damaged: it is not a file of tools\.released_network"):
        released_weights.read(path)


def test_released_network_refuses_another_version(content, tmp_path, monkeypatch):
    path = tmp_path / "network.npz"
    with monkeypatch.context() as patch:
        patch.setattr(released_weights, "VERSION", 2)
        released_weights.write(path, content)
    with pytest.raises(InputError, match="format version 2, and this program reads 1"):
        released_weights.read(path)


def changed(content, name, values):
    weights = {**content.weights, name: values}
    return content._replace(weights={k: v for k, v in weights.items() if v is not None})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, r"regressor/fc1/bias is missing in the file or in the network"),
        (np.zeros(1024, np.float16), r"fc1/bias is float16 \(1024,\), not float32 \(1024,\)"),
        (np.zeros(8, np.float32), r"fc1/bias is float32 \(8,\), not float32 \(1024,\)"),
        (np.full(1024, np.nan, np.float32), r"not finite: regressor/fc1/bias"),
    ],
)
def test_released_network_refuses_other_weights(content, tmp_path, values, message):
    path = tmp_path / "network.npz"
    released_weights.write(path, changed(content, "regressor/fc1/bias", values))
    with pytest.raises(InputError, match=message):
        released_weights.load_with_body(path=path)


def test_released_network_refuses_unknown_weights(content, tmp_path):
    path = tmp_path / "network.npz"
    released_weights.write(path, changed(content, "encoder/more/kernel", np.zeros(3, np.float16)))
    with pytest.raises(
        InputError, match="encoder/more/kernel is missing in the file or in the network"
    ):
        released_weights.load_with_body(path=path)


def test_released_network_refuses_another_body(content, tmp_path):
    path = tmp_path / "network.npz"
    released_weights.write(path, content._replace(body_digest="0" * 64))
    with pytest.raises(InputError, match="trained with another body"):
        released_weights.load_with_body(path=path)


def test_released_network_takes_a_given_body(file, tmp_path, caplog):
    smpl = tiny_body.write(tmp_path / "smpl.npz")
    _, body = released_weights.load_with_body(str(smpl), path=file)
    assert len(body.v_template) == 60
    assert "The network was trained with another body or other keypoints than" in caplog.text


def test_released_network_trained_with_an_smpl_file_is_not_written(content, tmp_path):
    other = content._replace(architecture=ARCHITECTURE._replace(smpl_model_path="smpl.npz"))
    with pytest.raises(InputError, match="uses the built-in body"):
        released_weights.write(tmp_path / "network.npz", other)
    assert not list(tmp_path.iterdir())


def test_released_network_larger_than_allowed_is_not_written(content, tmp_path, monkeypatch):
    monkeypatch.setattr(released_weights, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="use --encoder=resnet50"):
        released_weights.write(tmp_path / "network.npz", content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [1e6, np.inf])
def test_released_network_refuses_numbers_that_float16_cannot_hold(value):
    with pytest.raises(InputError, match="not finite in float16"):
        released_weights.stored_weights({"encoder/conv/kernel": np.float32([value])})


def test_released_network_command_measures_what_float16_moves(hmr, content, rng):
    crops = rng.uniform(-1, 1, size=(3, 32, 32, 3)).astype(np.float32)
    before = {name: variable.numpy() for name, variable in released_weights.variables(hmr).items()}
    same_mm, _ = released_network.rounding_error_mm(hmr, before, crops)
    mean_mm, max_mm = released_network.rounding_error_mm(hmr, content.weights, crops)
    assert same_mm == 0
    assert 0 < mean_mm < max_mm < 5
    mean = before["regressor/mean_param"] + np.eye(1, 85, 84, dtype=np.float32)
    far_mm, _ = released_network.rounding_error_mm(
        hmr, {**before, "regressor/mean_param": mean}, crops
    )
    assert far_mm > 1
    for name, variable in released_weights.variables(hmr).items():
        np.testing.assert_array_equal(variable, before[name])


def test_released_network_command_rests_hands_and_toes_when_asked(hmr, content, tmp_path, rng):
    checkpoint.manager(checkpoint.hmr_parts(hmr), tmp_path).save(3)
    params = {**ARCHITECTURE._asdict(), checkpoint.BODY_DIGEST: content.body_digest}
    (tmp_path / checkpoint.PARAMS).write_text(json.dumps(params))
    images = rng.uniform(-1, 1, size=(2, 32, 32, 3)).astype(np.float32)
    hands, toes = (
        [SMPL_JOINTS.index(f"{side}_{part}") for side in ("left", "right")]
        for part in ("hand", "foot")
    )
    for is_asked in (False, True):
        made, made_content = released_network.released_content([str(tmp_path)], "", is_asked)
        pose = split(made(images, training=False)[-1].theta).pose.numpy().reshape(2, 24, 3)
        assert pose[:, hands].any() != is_asked
        assert pose[:, toes, 1:].any() != is_asked
        assert pose[:, toes, 0].all()
        assert made_content.training["rest_hands_and_toes"] is is_asked


@pytest.mark.parametrize("load_path", ["", released_weights.NAME])
def test_released_network_is_loaded_where_no_checkpoint_is_named(file, monkeypatch, load_path):
    monkeypatch.setattr(released_weights, "PATH", file)
    hmr, _ = checkpoint.load_with_body(load_path)
    assert hmr.image_size == 32
    assert checkpoint.load_discriminator(load_path) is None


def test_released_network_is_what_load_gives_without_a_folder(file, monkeypatch, tmp_path, rng):
    picture = rng.integers(0, 256, size=(40, 30, 3), dtype=np.uint8)
    monkeypatch.setattr(released_weights, "PATH", file)
    (person,) = hmr_tf.load().predict(picture, (5, 5, 20, 30))
    assert person.joints3d.shape == (19, 3)
    monkeypatch.setattr(released_weights, "PATH", tmp_path / "network.npz")
    with pytest.raises(InputError, match="pass --load_path=FOLDER"):
        hmr_tf.load()
