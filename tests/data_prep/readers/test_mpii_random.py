"""Valid MPII releases in many forms: folders, orders of joints and people, types, lost fields."""

import numpy as np
import scipy.io

from data_prep.reader_items import LabelledPerson
from data_prep.readers import mpii
from hmr_tf.body import skeleton
from tests.fakes import mpi_fakes
from tests.fakes.random_cases import chance, check_cases, choose

USED = set(mpii.MPII_JOINTS) & set(skeleton.KEYPOINTS)
NUM_CASES = 500  # files, of some 4 people each: MATLAB's structs are slow to write


def random_person(rng):
    """A rectangle's fields as `mpi_fakes.structs` takes them, and {joint: (x, y)}."""
    joints = rng.permutation(mpii.MPII_JOINTS)[: rng.integers(0, 17)]
    truth = {str(name): rng.integers(1, 300, 2).tolist() for name in joints}
    kind = choose(rng, float, np.uint16, np.int16)
    points = []
    for name, (x, y) in truth.items():
        point = {"x": kind(x), "y": kind(y), "id": kind(mpii.MPII_JOINTS.index(name))}
        points.append({**point, "is_visible": choose(rng, np.empty((0, 0)), 1.0, "1", "0")})
    if points:
        order = rng.permutation(list(points[0]))
        points = [{key: point[key] for key in order} for point in points]
    annopoints = mpi_fakes.structs([{"point": mpi_fakes.structs(points)}]) if points else None
    person = {"x1": 1.0, "annopoints": annopoints, "scale": 2.5, "objpos": np.empty((0, 0))}
    if annopoints is None:
        person["annopoints"] = np.empty((0, 0))
    return person, truth


def random_image(rng, number):
    """A dict as `write` takes it; its people's joints; the numbers of those who stand alone."""
    people, truths = [], []
    for _ in range(rng.integers(0, 4)):
        person, truth = random_person(rng)
        people.append(person)
        truths.append(truth)
    alone = sorted(rng.permutation(len(people))[: rng.integers(0, len(people) + 1)] + 1)
    is_train = chance(rng, 0.8)
    folder = choose(rng, "", "images/", "mpii_human_pose_v1\\images\\")
    name = f"{folder}{number:09d}.jpg"
    return {"name": name, "people": people, "alone": alone, "is_train": is_train}, truths


def write(rng, folder, images):
    extra = {"vididx": 1.0} if chance(rng) else {}
    annolist = [
        {
            "image": mpi_fakes.structs([{"name": image["name"]}]),
            "annorect": mpi_fakes.structs(image["people"]) if image["people"] else np.empty((0, 0)),
            **extra,
        }
        for image in images
    ]
    is_train = np.array([[image["is_train"] for image in images]], choose(rng, np.uint8, float))
    shape = choose(rng, (-1, 1), (1, -1))
    alone = [np.array(image["alone"], float).reshape(shape) for image in images]
    release = {
        "annolist": mpi_fakes.structs(annolist),
        "img_train": is_train.T if chance(rng) else is_train,
        "single_person": mpi_fakes.cells(alone),
    }
    path = folder / choose(rng, *mpii.FOLDERS) / mpii.ANNOTATIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"RELEASE": mpi_fakes.structs([release])}
    scipy.io.savemat(path, content, do_compression=chance(rng))
    (folder / "images").mkdir()


def check_mpii(rng, folder):
    made = [random_image(rng, number) for number in range(rng.integers(1, 6))]
    write(rng, folder, [image for image, _ in made])
    expected = [
        (f"{number:09d}.jpg", truths[person - 1])
        for number, (image, truths) in enumerate(made)
        for person in image["alone"]
        if image["is_train"]
    ]
    items = list(mpii.read(folder, "train"))
    assert len(items) == len(expected)
    for item, (name, truth) in zip(items, expected):
        if not isinstance(item, LabelledPerson):
            points = {tuple(point) for joint, point in truth.items() if joint in USED}
            assert len(points) < 2 or not {"left_ankle", "right_ankle"} & set(truth), item
            assert not item.is_problem or item.reason == "keypoints all in one place", item
            assert item.where.startswith(name)
            continue
        assert item.image == str(folder / "images" / name)
        for i, joint in enumerate(skeleton.KEYPOINTS):
            assert (item.labelled[i] > 0) == (joint in truth)
            if joint in truth:
                assert item.keypoints_px[i].tolist() == truth[joint]


def test_mpii_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_mpii, tmp_path, NUM_CASES)
