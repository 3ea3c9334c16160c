"""Valid motion capture in many forms: MoSh's pickles, AMASS's arrays, CMU's skeletons."""

import pickle
import re

import numpy as np
from scipy.spatial.transform import Rotation

from data_prep.reader_items import IndexNote, MocapPose, Skipped
from data_prep.readers import amass, cmu, mosh
from tests.fakes import cmu_fakes
from tests.fakes.random_cases import chance, check_cases, choose, touch

HZ = 25


def poses_of(items):
    """(N, 72) poses sorted by their first number, and the betas of the first."""
    poses = [item for item in items if isinstance(item, MocapPose)]
    poses.sort(key=lambda pose: tuple(pose.pose[:6]))
    return np.array([item.pose for item in poses]), np.array([item.betas for item in poses])


def check_mosh(rng, folder):
    """Pickles of every protocol and array form; the parent folder or one collection."""
    collection = choose(rng, "neutrSMPL_CMU", "neutrSMPL_jointLim", "neutrSMPL_H3.6")
    subject = choose(rng, "01", "S1", "S9")
    number = int(rng.integers(1, 9))
    poses = rng.normal(size=(number, 72)).astype(choose(rng, np.float64, np.float32))
    betas = rng.normal(size=10)
    content = {choose(rng, "poses", "new_poses"): np.array(poses, order=choose(rng, "C", "F"))}
    content["betas"] = betas.reshape(choose(rng, (10,), (1, 10), (10, 1)))
    for name in ("trans", "gender", "mocap_framerate"):
        if chance(rng):
            content[name] = choose(rng, np.zeros(3), "male", 25.0)
    extension = choose(rng, "pkl", "PKL")
    path = folder / collection / subject / f"a.{extension}"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(content, choose(rng, 0, 1, 2, 3, 4)))
    is_hidden = chance(rng, 0.2)
    if is_hidden:
        touch(path.parent / f"._a.{extension}")
    root = folder if chance(rng) else folder / collection
    items = list(mosh.read(root, int(rng.integers(9)))[collection])
    assert sum(isinstance(item, Skipped) and item.is_problem for item in items) == is_hidden
    read_poses, read_betas = poses_of(items)
    if subject == "S9":
        assert not len(read_poses)
        return
    expected = poses[np.lexsort(poses[:, 5::-1].T)].astype(np.float32)
    np.testing.assert_array_equal(read_poses, expected)
    np.testing.assert_allclose(read_betas, np.tile(betas, (number, 1)), rtol=1e-6)


def check_amass(rng, folder):
    """Rates, names and shapes of arrays, genders; one of 25 Hz for each 1/25 s."""
    rate = choose(rng, 20.0, 25.0, 30.0, 50.0, 59.94, 60.0, 100.0, 120.0, 150.0, 250.0)
    number = int(rng.integers(1, 60))
    poses = rng.normal(size=(number, 52, 3))
    poses[:, 0, 0] = np.arange(number)
    betas = rng.normal(size=choose(rng, 10, 16, 300))
    gender = choose(rng, "male", "female", "neutral", "")
    forms = (np.array(gender), np.array(gender.encode()), np.array([gender]))
    text = choose(rng, *forms, np.array(str(gender.encode())))
    arrays = {
        "poses": poses.reshape(number, -1).astype(choose(rng, np.float64, np.float32)),
        "betas": betas[None] if chance(rng, 0.3) else betas,
        choose(rng, "mocap_framerate", "mocap_frame_rate"): np.full(choose(rng, (), (1,)), rate),
        "trans": np.zeros((number, 3)),
        "gender": text,
    }
    if chance(rng):
        arrays["marker_labels"] = np.array(["a", None], object)  # pickled: never read
    if chance(rng, 0.2):
        del arrays["gender"]
        gender = ""
    below = choose(rng, "01", "Subject_1", "a/b c")
    name = choose(rng, "01_01_poses.npz", "walk_stageii.npz", "x.npz", "01_01_POSES.NPZ")
    path = folder / "KIT" / below / name
    path.parent.mkdir(parents=True)
    with open(path, "wb") as file:  # savez would add an extension
        choose(rng, np.savez, np.savez_compressed)(file, **arrays)
    np.savez(path.parent / "shape.npz", betas=betas)
    root = folder / "KIT" if "/" not in below and chance(rng) else folder
    ((collection, items),) = amass.read(root, int(rng.integers(9))).items()
    items = list(items)
    assert collection == "neutrSMPL_KIT"
    read_poses, read_betas = poses_of(items)
    # The frame nearest to each 1/25 s, as long as the clip lasts.
    step = max(rate / HZ, 1.0)
    rows = [round(i * step) for i in range(number) if i * step < number - 0.5]
    np.testing.assert_array_equal(read_poses[:, 0], rows)
    joints = np.float32(poses[rows])
    np.testing.assert_array_equal(read_poses[:, :66], joints[:, :22].reshape(len(rows), -1))
    np.testing.assert_array_equal(read_poses[:, 66:69], joints[:, 22])
    np.testing.assert_array_equal(read_poses[:, 69:], joints[:, 37])
    np.testing.assert_allclose(read_betas[0], betas[:10], rtol=1e-6)
    assert items[-1] == IndexNote(f"poses of {gender or 'unknown'} bodies", len(rows))


def random_motion(rng, bones, number):
    """Dicts as `cmu_fakes.amc_text` takes them, in degrees."""
    return [
        {
            "root": rng.uniform(-90, 90, 6).round(3).tolist(),
            **{
                name: rng.uniform(-80, 80, len(bone[3].split())).round(3).tolist()
                for name, bone in bones.items()
                if bone[3]
            },
        }
        for _ in range(number)
    ]


def in_radians(frames, bones):
    angles = {name: [channel[0] == "r" for channel in b[3].split()] for name, b in bones.items()}
    angles["root"] = [False] * 3 + [True] * 3
    return [
        {
            name: [np.radians(x) if a else x for x, a in zip(numbers, angles[name])]
            for name, numbers in frame.items()
        }
        for frame in frames
    ]


def check_cmu(rng, folder):
    """The same motion in degrees or radians, with lines, bones and words in other forms."""
    bones = cmu_fakes.bones()
    for bone in bones.values():
        bone[2] = tuple(rng.uniform(-90, 90, 3).round(2).tolist())
    frames = random_motion(rng, bones, int(rng.integers(1, 12)))
    plain = cmu_fakes.write(folder / "plain", frames, bones)
    expected, _ = cmu.read_file(plain)
    step = cmu.HZ / HZ
    assert len(expected) == len([i for i in range(len(frames)) if i * step < len(frames) - 0.5])

    of_asf, of_amc = choose(rng, "deg", "rad"), choose(rng, "DEGREES", "RADIANS", "")
    is_rad = of_amc == "RADIANS" or (not of_amc and of_asf == "rad")
    names = list(bones)
    order = [names[i] for i in rng.permutation(len(names))]
    other = {name: list(bones[name]) for name in order}
    if of_asf == "rad":
        for bone in other.values():
            bone[2] = tuple(np.radians(bone[2]).tolist())
    for bone in other.values():  # any length
        bone[1] = tuple((np.array(bone[1]) * rng.uniform(0.1, 9)).tolist())
    asf = cmu_fakes.asf_text(other, of_asf)
    head = ":FULLY-SPECIFIED" + (f"\n:{of_amc}" if of_amc else "")
    amc = cmu_fakes.amc_text(other, in_radians(frames, bones) if is_rad else frames, head)
    if chance(rng):
        asf = re.sub(r"\b[rt][xyz]\b", lambda match: match[0].upper(), asf)
    asf, amc = (rewrite(rng, text) for text in (asf, amc))
    elsewhere = folder / "other"
    elsewhere.mkdir()
    stem = choose(rng, "01", "skeleton")
    (elsewhere / f"{stem}.{choose(rng, 'asf', 'ASF') if stem != '01' else 'asf'}").write_bytes(asf)
    path = elsewhere / f"01_07.{choose(rng, 'amc', 'AMC')}"
    path.write_bytes(amc)
    read_poses, betas = cmu.read_file(path)
    np.testing.assert_allclose(rotations(read_poses), rotations(expected), atol=1e-6)
    assert not betas.any()


def rewrite(rng, text):
    """Other ends of lines, blanks, tabs and empty lines, which mean nothing."""
    if chance(rng):
        text = text.replace(" ", choose(rng, "  ", "\t"))
    if chance(rng):
        text = text.replace("\n", " \n")
    if chance(rng):
        text = text.replace("\n", "\n\n")
    if chance(rng, 0.3):
        text = text.replace("\nbegin", "\n# a comment\nbegin")
    return text.replace("\n", choose(rng, "\n", "\r\n")).encode("latin1")


def rotations(poses):
    """Axis-angle of 180 degrees has two signs: compared as quaternions without sign."""
    quaternions = Rotation.from_rotvec(poses.reshape(-1, 3)).as_quat()
    largest = np.take_along_axis(
        quaternions, np.abs(quaternions).argmax(axis=1, keepdims=True), axis=1
    )
    return quaternions * np.sign(largest)


def test_mosh_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_mosh, tmp_path)


def test_amass_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_amass, tmp_path)


def test_cmu_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_cmu, tmp_path, 500)
