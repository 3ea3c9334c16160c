"""Which folders the package holds; everything else about it is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    # Of `tools`, what maintainers run, only the detector's converter.
    packages=[
        *find_packages(include=["hmr_tf", "hmr_tf.*", "data_prep", "data_prep.*"]),
        "tools",
        "tools.movenet",
        "hmr_tf.flags",
    ],
    # The recipes lie beside the code, not in it.
    package_dir={"hmr_tf.flags": "flags"},
)
