"""Files with random damage: refused in one line or read, without a crash and without a hang."""

import time

import numpy as np
import pytest

from data_prep.readers import amass, cmu
from data_prep.readers.h36m import h36m_layouts, h36m_recordings
from data_prep.readers.smpl_truth import emdb, pw3d, ssp3d
from hmr_tf.files.errors import InputError
from tests.fakes import cmu_fakes, h36m_fakes, truth_fakes

MUTATIONS = 150
BYTES = (0, 9, 10, 32, 45, 46, 49, 57, 127, 255)


def annot_h5(folder):
    path = h36m_fakes.write_fetch(folder, "S1", "Eating-1") / "annot.h5"
    return path, lambda: list(h36m_layouts.read(folder, "train"))


def h36m_npz(folder):
    path = h36m_fakes.write_npz(folder, ["S1_Eating.54138969_000001.jpg"])
    return path, lambda: list(h36m_layouts.read(folder, "train"))


def metadata_xml(folder):
    path = h36m_fakes.write_metadata(folder, [(14, 2, "Walking 7", "x")])
    return path, lambda: h36m_recordings.read_metadata(folder)


def amass_npz(folder):
    path, poses = folder / "x.npz", np.random.default_rng(0).normal(size=(24, 156))
    np.savez(path, poses=poses, betas=np.zeros(16), gender="male", mocap_framerate=120.0)
    return path, lambda: amass.read_file(path)


def asf(folder):
    motion = cmu_fakes.write(folder, [{}] * 3)
    return folder / "01.asf", lambda: cmu.read_file(motion)


def amc(folder):
    path = cmu_fakes.write(folder, [{}] * 3)
    return path, lambda: cmu.read_file(path)


def pw3d_pickle(folder):
    content = truth_fakes.content_3dpw([truth_fakes.scene(np.random.default_rng(0), 2)])
    path = truth_fakes.write_3dpw(folder, content)
    return path, lambda: pw3d.read_file(path, folder)


def emdb_pickle(folder):
    content = truth_fakes.content_emdb(truth_fakes.scene(np.random.default_rng(0), 2))
    path = truth_fakes.write_emdb(folder, content)
    return path, lambda: emdb.read_file(path, "emdb1")


def ssp3d_npz(folder):
    content = truth_fakes.content_ssp3d(np.random.default_rng(0), 2)
    path = truth_fakes.write_ssp3d(folder, content, height=8, width=8)
    return path, lambda: list(ssp3d.read(folder, "test"))


def mutant(content, rng):
    """Some bytes are others, some are gone."""
    content = bytearray(content)
    for position in rng.integers(0, len(content), rng.integers(1, 6)):
        if rng.random() < 0.1:
            del content[position : position + rng.integers(1, 40)]
        elif position < len(content):
            content[position] = rng.choice(BYTES)
    return bytes(content)


FILES = [annot_h5, h36m_npz, metadata_xml, amass_npz, asf, amc, pw3d_pickle, emdb_pickle, ssp3d_npz]


@pytest.mark.parametrize("write", FILES)
def test_readers_name_damage_in_one_line(write, tmp_path, rng):
    path, read = write(tmp_path)
    content, seconds, refusals = path.read_bytes(), [], []
    for _ in range(MUTATIONS):
        path.write_bytes(mutant(content, rng))
        start = time.time()
        try:
            read()
        except InputError as error:
            refusals.append(str(error))
        seconds.append(time.time() - start)
    assert max(seconds) < 5
    assert all("\n" not in refusal for refusal in refusals)
    assert len(refusals) > MUTATIONS / 4 or write is annot_h5  # whose faults are counted instead
