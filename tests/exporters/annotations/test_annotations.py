"""Files in the forms of annotated datasets: other programs and our readers get the same numbers."""

import contextlib
import io
import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from data_prep.reader_items import LabelledPerson
from data_prep.readers import coco as coco_reader
from data_prep.readers.smpl_truth import pw3d
from hmr_tf.body import body_model, rotation, skeleton
from hmr_tf.body.skeleton import COCO_KEYPOINTS, KEYPOINTS
from hmr_tf.cli import predict
from hmr_tf.exporters import video_outputs
from hmr_tf.exporters.annotations import coco_json, pw3d_npz
from hmr_tf.inference import tracking, video, video_files
from hmr_tf.inference.model import Model
from tests.fakes import evaluation_fakes as fakes
from tests.fakes import tiny_body

HEIGHT, WIDTH = 300, 260
BOXES = {1: (40, 60, 90, 180), 2: (60, 40, 80, 200)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    body = body_model.read_model(tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz"))
    return Model(fakes.Oracle(fakes.thetas(), fakes.SMPL(body)), body)


@pytest.fixture
def people(model):
    """{number: the Person in the photograph of that number}"""
    images = {number: fakes.image_of(number, (HEIGHT, WIDTH)) for number in BOXES}
    return {number: model.predict(images[number], [BOXES[number]])[0] for number in BOXES}


@pytest.fixture
def of_video(people):
    """VideoPeople: one person in frames 0 to 2, another one in frames 1 and 3."""
    tracks = [
        tracking.Track(np.array([0, 1, 2]), [people[1], people[2], people[1]]),
        tracking.Track(np.array([1, 3]), [people[2], people[2]]),
    ]
    times = video_files.FrameTimes(np.arange(5) / 25.0, 25.0)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return video.VideoPeople(Path("walk.mp4"), tracks, times, image, [])


def coco17(person):
    return skeleton.convert(person["keypoints2d_px"], KEYPOINTS, COCO_KEYPOINTS)


def read_with_pycocotools(path):
    with contextlib.redirect_stdout(io.StringIO()):
        content = COCO(str(path))
        results = content.loadRes(list(content.dataset["annotations"]))
    return content, results


def test_coco_json_of_photographs_is_read_back_with_the_same_numbers(tmp_path, model, people):
    folders = [tmp_path / "photos" / name for name in ("a", "b")]
    paths = []
    for folder, number in zip(folders, BOXES):
        folder.mkdir(parents=True)
        paths.append(folder / "one.png")  # the names differ only by the folder
        cv2.imwrite(str(paths[-1]), fakes.image_of(number, (HEIGHT, WIDTH)))
    boxes = {path: [box] for path, box in zip(paths, BOXES.values())}
    out = tmp_path / "out"
    out.mkdir()
    written, problems = predict.predict_photographs(model, paths, out, ["coco"], boxes)
    assert (written, problems) == ([out / "coco_keypoints.json"], [])
    content, results = read_with_pycocotools(written[0])
    assert [image["file_name"] for image in content.dataset["images"]] == ["a/one.png", "b/one.png"]
    read = list(coco_reader.read(tmp_path / "photos", "val", annotations=written[0]))
    assert len(read) == len(results.anns) == len(people)
    for person, entry, labelled, path in zip(people.values(), results.anns.values(), read, paths):
        points = np.reshape(entry["keypoints"], (17, 3))
        assert points[:, :2] == pytest.approx(coco17(person), abs=6e-4)
        assert entry["bbox"] == pytest.approx(person["box"].tolist())
        assert isinstance(labelled, LabelledPerson)
        assert Path(labelled.image) == path
        has_label = labelled.labelled > 0
        assert has_label.sum() == 17
        expected = person["keypoints2d_px"][has_label]
        assert labelled.keypoints_px[has_label] == pytest.approx(expected, abs=6e-4)


def test_coco_json_tells_points_outside_and_photographs_without_people(tmp_path):
    points = np.linspace(-10, 90, 19)[:, None] * [1.0, 0.5]
    images = [
        coco_json.AnnotatedImage("a.jpg", (100, 80), [points], [np.float32([1, 2, 30, 40])]),
        coco_json.AnnotatedImage("b.jpg", (100, 80), [], []),
    ]
    coco_json.write(tmp_path / "people.json", images)
    content = json.loads((tmp_path / "people.json").read_text())
    (entry,) = content["annotations"]
    x, y, flags = np.reshape(entry["keypoints"], (17, 3)).T
    assert flags.tolist() == np.where((x >= 0) & (x < 80) & (y >= 0), 2, 1).tolist()
    assert 1 in flags
    assert entry["area"] == pytest.approx(0.53 * 1200)
    assert [image["id"] for image in content["images"]] == [1, 2]


def test_coco_json_of_a_video_names_frames_and_tracks(tmp_path, of_video, people):
    (path,) = coco_json.write_video(
        str(tmp_path / "walk"), video_outputs.VideoScene(of_video, None, None)
    )
    content, _ = read_with_pycocotools(path)
    images = {image["id"]: image for image in content.dataset["images"]}
    assert [image["file_name"] for image in images.values()] == [
        f"walk_{frame:06d}.png" for frame in range(4)
    ]
    entries = content.dataset["annotations"]
    shown = [(images[e["image_id"]]["frame_id"], e["track_id"]) for e in entries]
    assert shown == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 1)]
    points = np.reshape([entry["keypoints"] for entry in entries], (5, 17, 3))[..., :2]
    expected = [coco17(people[number]) for number in (1, 2, 2, 1, 2)]
    assert points == pytest.approx(np.array(expected), abs=6e-4)


def test_pw3d_npz_of_a_video_is_read_back_as_3dpw(tmp_path, model, of_video):
    scene = video_outputs.VideoScene(of_video, model.body, None)
    (path,) = pw3d_npz.write_video(str(tmp_path / "walk"), scene)
    with np.load(path) as arrays:
        content = dict(arrays)
    assert path.name == "walk_3dpw.npz"
    content["genders"] = content["genders"].tolist()
    pickled = tmp_path / "walk.pkl"
    pickled.write_bytes(pickle.dumps(content, protocol=2))
    read, actors = pw3d.read_file(pickled, tmp_path)
    person = of_video.tracks[0].people[0]
    focal_px, (x, y) = float(person["focal_px"]), person["principal_px"]
    assert read.camera == pytest.approx([focal_px, focal_px, x, y])
    for actor, track in zip(actors, of_video.tracks, strict=True):
        assert np.flatnonzero(actor.has_camera).tolist() == track.frames.tolist()
        assert actor.gender == "neutral"
        people = track.people
        assert actor.betas == pytest.approx(np.mean([p["betas"] for p in people], axis=0))
        for frame, person in zip(track.frames, people):
            matrices = rotation.matrix_from_axis_angle(actor.bodies.pose[frame]).numpy()
            assert matrices == pytest.approx(person["rotations"], abs=1e-5)
            joints = person["smpl_joints"] + person["transl"]
            assert actor.smpl_joints[frame] == pytest.approx(joints, abs=1e-5)
            known = actor.points[frame, :, 2] > 0
            assert actor.points[frame, known, :2] == pytest.approx(
                person["keypoints2d_px"][known], abs=1e-3
            )
            assert known.sum() == 18
        # The mean shape moves no pelvis: trans and the joints agree.
        pelvis = actor.smpl_joints[track.frames, 0] - actor.bodies.transl[track.frames]
        assert pelvis == pytest.approx(np.tile(pelvis[:1], (len(people), 1)), abs=1e-5)


def test_pw3d_npz_of_a_photograph_has_one_frame_of_every_person(tmp_path, model, people):
    class Scene:
        body = model.body

    Scene.people = list(people.values())
    (path,) = pw3d_npz.write_photograph(str(tmp_path / "photo"), Scene)
    with np.load(path) as arrays:
        assert arrays["poses"].shape == (2, 1, 72)
        for number, person in enumerate(Scene.people):
            assert arrays["trans"][number, 0] == pytest.approx(person["transl"], abs=1e-6)
            assert arrays["betas"][number] == pytest.approx(person["betas"], abs=1e-6)
        assert arrays["sequence"] == "photo"
