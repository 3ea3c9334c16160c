"""The folder of a run whose network, the default one, was never trained: for tests of commands."""

import json

from hmr_tf.body import body_model
from hmr_tf.networks import build, checkpoint


def save(folder, image_size):
    """Writes checkpoint and params.json of a network with random weights; returns `folder`."""
    architecture = build.Architecture(img_size=image_size)
    body = build.read_body(architecture)
    hmr = build.build(architecture, body)
    checkpoint.manager(checkpoint.hmr_parts(hmr), folder).save(0)
    params = {**architecture._asdict(), checkpoint.BODY_DIGEST: body_model.digest(body)}
    (folder / checkpoint.PARAMS).write_text(json.dumps(params))
    return folder
