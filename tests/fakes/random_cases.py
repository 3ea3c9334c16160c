"""Random tests of readers: valid files in all their forms, each with a known result.

Each case has another seed. HMR_MEANINGS_SEED=7 tries other cases than CI; HMR_MEANINGS_CASE=12
runs one case alone.
"""

import os
import shutil

import numpy as np

NUM_CASES = 2000
SEED = int(os.environ.get("HMR_MEANINGS_SEED", "0"))
_ONLY = os.environ.get("HMR_MEANINGS_CASE", "")


def check_cases(check, folder, number=NUM_CASES):
    """Calls `check(rng, folder)` for each case, with an empty folder; a failure names its case."""
    for case in [int(_ONLY)] if _ONLY else range(number):
        of_case = folder / f"case_{case}"
        of_case.mkdir()
        try:
            check(np.random.default_rng([SEED, case]), of_case)
        except Exception as error:
            raise AssertionError(
                f"HMR_MEANINGS_SEED={SEED} HMR_MEANINGS_CASE={case}: {error!r}"
            ) from error
        shutil.rmtree(of_case)


def choose(rng, *options):
    """One of the options, as it is."""
    return options[rng.integers(len(options))]


def chance(rng, share=0.5):
    """Whether something happens that happens in this share of the cases."""
    return bool(rng.random() < share)


def touch(path):
    """An empty file, for readers that open no image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path
