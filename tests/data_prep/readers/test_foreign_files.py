"""Every reader gets the other readers' files: refused or counted in plain words."""

import re
import shutil

import numpy as np
import pytest
import scipy.io

from data_prep.reader_items import Skipped
from data_prep.readers import amass, cmu, coco, lsp, mosh, mpii
from data_prep.readers.h36m import h36m_layouts
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_testset, mpi_inf_3dhp_train
from data_prep.readers.smpl_truth import emdb, pw3d, ssp3d
from hmr_tf.files.errors import InputError
from tests.fakes import cmu_fakes, h36m_fakes, mpi_fakes, truth_fakes
from tests.fakes.dataset_fakes import annotation, write_coco, write_lsp, write_mosh

PYTHON_WORDS = re.compile(
    r"Error\b|Exception|Traceback|NoneType|list indices|not subscriptable|has no attribute|"
    r"object is not|could not convert|cannot reshape|invalid literal|unpack|dtype|\bobject\b|"
    r"float64|float32|int64|[<|>][USif]\d|codec|<class|b'|errno|\[Errno|__",
)


def _lsp(folder, rng):
    return write_lsp(folder, rng.uniform(1, 30, (14, 3, 2))) / "joints.mat"


def _mpii(folder, rng):
    mpi_fakes.write_mpii(folder, [{"name": "a.jpg", "people": [], "alone": []}])
    return folder / "annotations" / mpii.ANNOTATIONS


def _coco(folder, rng):
    write_coco(folder, [annotation(1)])
    return folder / "annotations" / "person_keypoints_train2014.json"


def _mosh(folder, rng):
    return write_mosh(folder / "neutrSMPL_CMU" / "01" / "a.pkl", rng.normal(size=(4, 72)))


def _amass(folder, rng):
    path = folder / "CMU" / "01" / "a_poses.npz"
    path.parent.mkdir(parents=True)
    poses = rng.normal(size=(4, 156))
    np.savez(path, poses=poses, betas=np.zeros(16), gender="male", mocap_framerate=25.0)
    return path


def _asf(folder, rng):
    cmu_fakes.write(folder / "01", [{}])
    return folder / "01" / "01.asf"


def _amc(folder, rng):
    return cmu_fakes.write(folder / "01", [{}])


def _annot_mat(folder, rng):
    mpi_fakes.write_sequence(folder / "S1" / "Seq1", *mpi_fakes.standing_3dhp(1, rng))
    return folder / "S1" / "Seq1" / "annot.mat"


def _calibration(folder, rng):
    return _annot_mat(folder, rng).with_name("camera.calibration")


def _testset(folder, rng):
    labels = rng.uniform(20, 90, (1, 17, 2)), rng.uniform(-900, 900, (1, 17, 3))
    mpi_fakes.write_testset_sequence(folder / "TS1", *labels, valid=[1])
    return folder / "TS1" / "annot_data.mat"


def _h36m_npz(folder, rng):
    return h36m_fakes.write_npz(folder, ["S1_Eating.54138969_000001.jpg"])


def _annot_h5(folder, rng):
    return h36m_fakes.write_fetch(folder, "S1", "Eating-1") / "annot.h5"


def _metadata(folder, rng):
    h36m_fakes.write_fetch(folder, "S1", "Eating-1")
    return h36m_fakes.write_metadata(folder, [(14, 2, "Walking 7", "x")])


def _cdf(folder, rng):
    h36m_fakes.write_official(folder, "S1", "Eating", 2)
    return folder / "S1/MyPoseFeatures/D3_Positions_mono/Eating.54138969.cdf"


def _pw3d(folder, rng):
    content = truth_fakes.content_3dpw([truth_fakes.scene(rng, 2)])
    return truth_fakes.write_3dpw(folder, content)


def _emdb(folder, rng):
    return truth_fakes.write_emdb(folder, truth_fakes.content_emdb(truth_fakes.scene(rng, 2)))


def _ssp3d(folder, rng):
    return truth_fakes.write_ssp3d(folder, truth_fakes.content_ssp3d(rng, 2))


def _collections(module):
    return lambda folder: [item for items in module.read(folder, 0).values() for item in items]


def _train(reader):
    return lambda folder: list(reader(folder, "train"))


def _test(reader):
    return lambda folder: list(reader(folder, "test"))


# Writes a dataset and returns its file; reads the folder.
FILES = {
    "lsp joints.mat": (_lsp, _train(lsp.read_extended)),
    "mpii.mat": (_mpii, _train(mpii.read)),
    "coco.json": (_coco, _train(coco.read)),
    "mosh.pkl": (_mosh, _collections(mosh)),
    "amass.npz": (_amass, _collections(amass)),
    "cmu.asf": (_asf, _collections(cmu)),
    "cmu.amc": (_amc, _collections(cmu)),
    "annot.mat": (_annot_mat, _train(mpi_inf_3dhp_train.read)),
    "camera.calibration": (_calibration, _train(mpi_inf_3dhp_train.read)),
    "annot_data.mat": (_testset, _test(mpi_inf_3dhp_testset.read)),
    "h36m.npz": (_h36m_npz, _train(h36m_layouts.read)),
    "annot.h5": (_annot_h5, _train(h36m_layouts.read)),
    "metadata.xml": (_metadata, _train(h36m_layouts.read)),
    "h36m.cdf": (_cdf, _train(h36m_layouts.read)),
    "3dpw.pkl": (_pw3d, _test(pw3d.read)),
    "emdb.pkl": (_emdb, _test(emdb.read)),
    "ssp3d.npz": (_ssp3d, _test(ssp3d.read)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Path of each file in FILES, and some that belong to no reader."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("files")
    paths = {name: write(root / name, rng) for name, (write, _) in FILES.items()}
    others = {"empty": b"", "text": b"x,y\n1,2\n", "jpeg": b"\xff\xd8\xff\xe0", "null": b"null"}
    others.update({"list": b'[{"image_id": 1}]', "bytes": bytes(range(256)) * 40})
    for name, content in others.items():
        paths[name] = root / name
        paths[name].write_bytes(content)
    scipy.io.savemat(root / "text.mat", {name: "text" for name in ("joints", "RELEASE", "frames")})
    arrays = ("poses", "betas", "mocap_framerate", "imgname", "part", "S", "pose", "shape")
    arrays += ("fnames", "genders", "shapes", "cam_trans", "joints2D")
    np.savez(root / "texts.npz", **{name: np.array(["a", "b"]) for name in arrays})
    np.savez(root / "objects.npz", **{name: np.array([None, {}]) for name in arrays})
    np.savez(root / "numbers.npz", **{name: np.ones(3) for name in arrays})
    for name in ("text.mat", "texts.npz", "objects.npz", "numbers.npz"):
        paths[name] = root / name
    return paths


@pytest.mark.parametrize("reader", FILES)
def test_readers_say_in_plain_words_what_foreign_files_are(reader, written, tmp_path, rng):
    write, read = FILES[reader]
    path, messages = write(tmp_path / "data", rng), {}
    for name, foreign in written.items():
        if name == reader:
            continue
        shutil.copy(foreign, path)
        try:
            skipped = [item for item in read(tmp_path / "data") if isinstance(item, Skipped)]
            messages[name] = " ".join(f"{item.reason}: {item.where}" for item in skipped)
        except InputError as error:
            messages[name] = str(error)
    messages = {
        name: m.replace(str(tmp_path), "").replace("\n", "NEWLINE") for name, m in messages.items()
    }
    assert {name: m for name, m in messages.items() if PYTHON_WORDS.search(m)} == {}
    assert not [name for name, message in messages.items() if "NEWLINE" in message]
    assert len([message for message in messages.values() if message]) > len(messages) - 3, messages
