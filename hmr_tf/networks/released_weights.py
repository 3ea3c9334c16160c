"""The released network, which comes with hmr_tf: an .npz file that `tools.released_network` writes.

Convolution and dense kernels are float16, everything else float32. The file states what it is made
of: format version, architecture, digest of its body, how it was trained, SHA-256 of all of it.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.body import body_model
from hmr_tf.files import atomic, safe_npz
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, encoder
from hmr_tf.networks.build import Architecture

NAME = "released"  # the value of --load_path that means this file
PATH = Path(__file__).resolve().parents[1] / "assets" / "network.npz"
VERSION = 1
MAX_BYTES = 60 * 10**6
_METADATA, _DIGEST = "metadata", "sha256"


class Released(NamedTuple):
    """What the file holds."""

    architecture: Architecture
    body_digest: str  # `body_model.digest` of the body it was trained with
    training: dict  # how it was trained: JSON values
    weights: dict  # variable name -> array, as in `variables`


def is_released(load_path):
    """Whether a --load_path names the released network: "released", or nothing."""
    return str(load_path) in ("", NAME)


def variables(hmr):
    """Name -> variable of everything that is trained: encoder and regressor.

    Names are made of layer names, which do not depend on the Keras version or on what was built
    before: encoder/conv1_conv/kernel, regressor/fc1/bias, regressor/mean_param.
    """
    named = {
        f"encoder/{layer.name}/{_last_part(weight.name)}": weight
        for layer in hmr.encoder.layers
        for weight in layer.weights
    }
    for layer in (hmr.regressor.fc1, hmr.regressor.fc2, hmr.regressor.fc3):
        named.update({f"regressor/{layer.name}/{_last_part(w.name)}": w for w in layer.weights})
    return {**named, "regressor/mean_param": hmr.regressor.mean}


def _last_part(variable_name):
    return variable_name.rsplit("/", 1)[-1].split(":")[0]


def stored_dtype(name):
    """What a variable is stored as."""
    return np.dtype(np.float16 if name.endswith("/kernel") else np.float32)


def stored_weights(arrays):
    """Name -> float array, rounded to what is stored.

    Raises:
      InputError: a number is not finite, or too large for float16.
    """
    with np.errstate(over="ignore"):
        rounded = {name: np.asarray(a).astype(stored_dtype(name)) for name, a in arrays.items()}
    for name, values in rounded.items():
        if not np.isfinite(values).all():
            raise InputError(f"{name} holds numbers that are not finite in {values.dtype}.")
    return rounded


def write(path, released):
    """Writes a `Released`, whole or not at all; the same content gives the same bytes.

    Raises:
      InputError: it would be larger than `MAX_BYTES`, or was trained with an SMPL file.
      OSError: the file cannot be written.
    """
    if any(getattr(released.architecture, name) for name in build.FILE_FIELDS):
        raise InputError(
            "The network was trained with other files (--smpl_model_path or "
            "--keypoint_regressor): a released network uses the built-in body."
        )
    described = {
        "version": VERSION,
        "architecture": released.architecture._asdict(),
        "body_digest": released.body_digest,
        "training": released.training,
    }
    metadata = _bytes(json.dumps(described, sort_keys=True))
    content = io.BytesIO()
    digest = _bytes(_digest(metadata, released.weights))
    np.savez(content, **{_METADATA: metadata, _DIGEST: digest}, **released.weights)
    size = len(content.getbuffer())
    if size > MAX_BYTES:
        raise InputError(
            f"The file would have {size / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:.0f}: use "
            "--encoder=resnet50."
        )
    atomic.write_bytes(path, content.getbuffer())


def _bytes(text):
    return np.frombuffer(text.encode(), np.uint8)


def _digest(metadata, weights):
    """SHA-256 of all that the file holds, in the order of the names."""
    digest = hashlib.sha256(metadata.tobytes())
    for name in sorted(weights):
        values = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(values.data)
    return digest.hexdigest()


def read(path=None):
    """Reads a file that `write` wrote; None: the one of hmr_tf.

    Raises:
      InputError: no such file, a damaged one, or one of another version.
    """
    path = Path(path or PATH)
    if not path.is_file():
        raise InputError(
            f"There is no released network ({path}): pass --load_path=FOLDER, a --model_dir of "
            "--mode=train or of --mode=import_tf1."
        )
    if path.stat().st_size > MAX_BYTES:
        raise _damaged(path, f"it is larger than {MAX_BYTES / 1e6:.0f} MB")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name[: -len(".npy")] for name in archive.namelist()]
        arrays = safe_npz.load(path, names)
        metadata, digest = arrays.pop(_METADATA), arrays.pop(_DIGEST)
        described = json.loads(metadata.tobytes())
        version = described["version"]
    except InputError as error:
        raise _damaged(path, error) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise _damaged(path, "it is not a file of tools.released_network") from error
    if version != VERSION:
        raise InputError(
            f"{path} has format version {version!r}, and this program reads {VERSION}: use the "
            "file that came with it (git checkout), or pass --load_path=FOLDER."
        )
    if digest.tobytes().decode(errors="replace") != _digest(metadata, arrays):
        raise _damaged(path, "its SHA-256 differs")
    architecture = Architecture(**described["architecture"])
    return Released(architecture, described["body_digest"], described["training"], arrays)


def _damaged(path, reason):
    reason = str(reason).replace(f"{path}: ", "").rstrip(".")
    return InputError(
        f"The released network {path} is damaged: {reason}. Get it again (git checkout), or pass "
        "--load_path=FOLDER."
    )


def assign(released, hmr):
    """Sets the weights of a network of the same architecture, by name and strictly.

    Raises:
      InputError: other names, shapes or types, or numbers that are not finite.
    """
    network_variables = variables(hmr)
    differing = sorted(set(network_variables) ^ set(released.weights))
    if differing:
        raise InputError(
            f"The released network does not fit: {differing[0]} is missing in the file or in the "
            "network."
        )
    for name, variable in network_variables.items():
        values = released.weights[name]
        expected = stored_dtype(name), tuple(variable.shape)
        if (values.dtype, values.shape) != expected:
            raise InputError(
                f"The released network does not fit: {name} is {values.dtype} {values.shape}, "
                f"not {expected[0]} {expected[1]}."
            )
        if not np.isfinite(values).all():
            raise InputError(f"The released network holds numbers that are not finite: {name}.")
    for name, variable in network_variables.items():
        variable.assign(released.weights[name].astype(np.float32))


def load_with_body(smpl_model_path="", path=None):
    """The released HMR and its body.

    Args:
      smpl_model_path: SMPL file to use; empty: the built-in body, which it was trained with.
      path: of the file; None: the one of hmr_tf.

    Returns:
      `hmr.HMR` and its `body_model.BodyModel`.

    Raises:
      InputError: no such file, a damaged one, one of another version or for another body.
    """
    released = read(path)
    if released.architecture.encoder not in encoder.ENCODERS:
        raise InputError(
            f"The released network has an unknown encoder: {released.architecture.encoder!r}."
        )
    body = read_body(released, smpl_model_path)
    hmr = build.build(released.architecture, body, weights_follow=True)
    assign(released, hmr)
    return hmr, body


def read_body(released, smpl_model_path=""):
    """`body_model.BodyModel` of an SMPL file; empty: the built-in body, with which it was trained.

    Raises:
      InputError: no such file, or the built-in body has changed since.
    """
    path = body_model.find(smpl_model_path) if smpl_model_path else body_model.BUILT_IN
    body = body_model.read_model(path)
    if smpl_model_path:
        body_model.warn_of_another_body(body, released.body_digest, path)
    elif body_model.digest(body) != released.body_digest:
        raise InputError(
            f"The released network was trained with another body than {path}: use the two files "
            "of one version (git checkout), or pass --load_path=FOLDER."
        )
    return body
