"""The folder of a run whose network, the default one, was never trained: for tests of commands."""

import json

from hmr_tf.networks import build, checkpoint


def save(folder, image_size):
    """Writes checkpoint and params.json of a network with random weights; returns `folder`."""
    architecture = build.Architecture(img_size=image_size)
    hmr = build.build(architecture, build.read_body(architecture))
    checkpoint.manager(checkpoint.hmr_parts(hmr), folder).save(0)
    (folder / checkpoint.PARAMS).write_text(json.dumps(architecture._asdict()))
    return folder
