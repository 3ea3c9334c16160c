"""Valid files of landmarks in many forms: types, names as text or bytes, one file or a folder."""

import numpy as np

from data_prep import pseudo_labelling
from tests.fakes.random_cases import chance, check_cases, choose


def check_landmarks(rng, folder):
    number = int(rng.integers(1, 9))
    names = [choose(rng, f"im{i:04d}.jpg", f"s1/Fräulein {i}.png", f"{i}") for i in range(number)]
    points, joints = rng.uniform(0, 224, (number, 19, 3)), rng.normal(size=(number, 19, 3))
    presence = rng.random(number)
    kind = choose(rng, np.float64, np.float32)
    text = np.array(names)
    arrays = {
        "filename": np.char.encode(text, "utf-8") if chance(rng) else text,
        "keypoints_px": np.array(points.astype(kind), order=choose(rng, "C", "F")),
        "joints3d": joints.astype(choose(rng, np.float64, np.float32)),
        "presence": presence.astype(kind).reshape(choose(rng, (number,), (number, 1))),
    }
    if chance(rng):
        arrays["other"] = np.array(["x", None], object)  # pickled: never read
    is_folder = chance(rng)
    path = folder / ("coco.npz" if is_folder else choose(rng, "mine.npz", "mine.NPZ"))
    with open(path, "wb") as file:  # savez would add an extension
        choose(rng, np.savez, np.savez_compressed)(file, **arrays)
    source = pseudo_labelling.landmark_source(
        str(folder if is_folder else path), "", "coco", number
    )
    for i in range(number):
        marks = source.landmarks_of(i, {"filename": names[i].encode()})
        np.testing.assert_allclose(marks.keypoints_px, points[i], rtol=1e-6)
        np.testing.assert_allclose(marks.joints3d, joints[i], rtol=1e-6)
        np.testing.assert_allclose(marks.presence, presence[i], rtol=1e-6)


def test_landmarks_mean_the_same_in_every_form(tmp_path):
    check_cases(check_landmarks, tmp_path)
