"""A video from end to end: every frame drawn, all people tracked, numbers in rows."""

import contextlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.exporters import output_formats, video_outputs
from hmr_tf.files.errors import InputError
from hmr_tf.inference import video, video_boxes, video_files
from hmr_tf.inference.boxes import BoxesByName
from hmr_tf.inference.model import Model
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta
from hmr_tf.rendering import panels
from tests.fakes import tiny_hmr, videos
from tests.fakes.gltf_reader import Glb

NUM_FRAMES, RATE_HZ = 20, 10.0
LEFT, RIGHT = (4, 4, 20, 40), (60, 4, 20, 40)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE_HZ, (96, 48))
    rng = np.random.default_rng(0)
    for _ in range(NUM_FRAMES):
        writer.write(cv2.resize(rng.integers(0, 256, (6, 12, 3), np.uint8), (96, 48)))
    writer.release()
    return path


def write(model, clip, folder, boxes, formats=("overlay", "npz"), smoother="none", up_axis="y"):
    with video_files.Video(clip) as opened:
        people = video.predict_video(model, opened, boxes, smoother=smoother)
    return video_outputs.write(folder, people, model.body, model.vertices_of, formats, up_axis)


def frames_of(path):
    with video_files.Video(path) as opened:
        return list(opened)


def predicted(model, clip, folder, boxes, smoother="none"):
    overlay, npz = write(model, clip, folder, boxes, smoother=smoother)
    frames = frames_of(overlay)
    assert len(frames) == NUM_FRAMES
    assert frames[0].shape == (48, 96, 3)
    with video_files.Video(overlay) as opened:
        assert opened.rate_hz == RATE_HZ
    with np.load(npz) as file:
        return {**file}


def test_video_has_two_people_in_every_frame(model, clip, tmp_path):
    arrays = predicted(model, clip, tmp_path, BoxesByName({}, [LEFT, RIGHT]))
    assert arrays["frame"].tolist() == [*range(NUM_FRAMES)] * 2
    assert arrays["person"].tolist() == [0] * NUM_FRAMES + [1] * NUM_FRAMES
    np.testing.assert_array_equal(arrays["box"][[0, NUM_FRAMES]], [LEFT, RIGHT])
    third = frames_of(clip)[3]
    (alone,) = model.predict(third, RIGHT)
    np.testing.assert_allclose(arrays["transl"][NUM_FRAMES + 3], alone.transl, rtol=1e-4)
    np.testing.assert_allclose(arrays["rotations"][NUM_FRAMES + 3], alone.rotations, atol=1e-4)
    assert not list(tmp_path.glob("*.part*"))


def test_video_draws_the_people_of_each_frame(model, clip, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(video_files, "writer", lambda *_: contextlib.nullcontext(drawn.append))
    named = BoxesByName({str(n): [LEFT, RIGHT][: n % 3] for n in range(NUM_FRAMES)})
    write(model, clip, tmp_path, named, ["overlay"])
    assert len(drawn) == NUM_FRAMES
    for number, image in enumerate(frames_of(clip)):
        boxes = named.by_name[str(number)]
        people = model.predict(image, boxes) if boxes else []
        alone = panels.overlay(image, people, model.faces, with_skeleton=False)
        differs = (np.abs(drawn[number].astype(int) - alone) > 2).any(axis=-1)
        assert differs.mean() < 0.002  # a pixel at an edge
        assert bool(boxes) == (drawn[number] != image).any()


def test_video_smoothing_calms_motion_and_keeps_one_shape(model, clip, tmp_path):
    boxes = BoxesByName({}, [LEFT])
    raw = predicted(model, clip, tmp_path / "raw", boxes)
    calm = predicted(model, clip, tmp_path / "calm", boxes, "savgol")
    for name in ("rotations", "transl", "joints3d", "keypoints2d_px"):
        steps = [np.abs(np.diff(arrays[name], axis=0)).mean() for arrays in (raw, calm)]
        assert steps[1] < 0.8 * steps[0], name
    assert np.ptp(calm["betas"], axis=0).max() == 0
    body = model.hmr.smpl(tf.constant(calm["rotations"]), tf.constant(calm["betas"]))
    np.testing.assert_allclose(calm["joints3d"], body.joints3d, atol=1e-5)


def test_video_outputs_of_uneven_frames_are_as_long_as_the_video(model, clip, tmp_path):
    """Eight frames with a pause of a second: 1.28 s in overlay, motions and times."""
    milliseconds = [0, 40, 80, 120, 1120, 1160, 1200, 1240]
    images = frames_of(clip)[:8]
    path = videos.write_matroska(tmp_path / "pause.mkv", images, milliseconds)
    formats = ("overlay", "npz", "glb", "bvh", "amass")
    write(model, path, tmp_path, BoxesByName({}, [LEFT]), formats)
    overlay = tmp_path / "pause_overlay.mp4"
    assert len(frames_of(overlay)) / 25 == pytest.approx(1.28, abs=0.04)
    with video_files.Video(overlay) as opened:
        assert opened.rate_hz == pytest.approx(25)
    with np.load(tmp_path / "pause.npz") as file:
        np.testing.assert_allclose(file["time"], np.array(milliseconds) / 1000, atol=1e-6)
        np.testing.assert_array_equal(file["frame_times"], file["time"])
        rotations = file["rotations"]
    with np.load(tmp_path / "pause_person_0_amass.npz") as file:
        assert len(file["poses"]) == 32
        assert file["mocap_framerate"] == pytest.approx(25)
        third = Rotation.from_rotvec(file["poses"][[3, 28, 31], 6:9]).as_matrix()
    np.testing.assert_allclose(third, rotations[[3, 4, 7], 2], atol=1e-5)
    text = (tmp_path / "pause_person_0.bvh").read_text()
    assert "Frames: 32" in text
    assert "Frame Time: 0.04000000" in text
    times = Glb((tmp_path / "pause.glb").read_bytes()).animation_times()
    assert max(times) == pytest.approx(1.24, abs=0.001)


def test_video_takes_boxes_of_single_frames(model, clip, tmp_path):
    boxes = {"2": [LEFT], f"clip_{3:012d}": [LEFT, RIGHT]}
    arrays = predicted(model, clip, tmp_path, BoxesByName(boxes))
    assert arrays["frame"].tolist() == [2, 3, 3]
    assert arrays["person"].tolist() == [0, 0, 1]


def test_video_refuses_files_boxes_and_frames_without_people(model, clip, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for name, message in (("text.mp4", "gives no frames"), ("none.mp4", "no such file")):
        with pytest.raises(InputError, match=f"--video_path=.*{name}:? {message}"):
            video_files.Video(tmp_path / name)
    for boxes, message in (
        ({"99": [LEFT]}, "no person was detected in any of the 20 frames"),
        ({"2": [(500, 4, 20, 40)]}, r"no person .* frame 2 of the video: The box .* lies outside"),
    ):
        with (
            video_files.Video(clip) as opened,
            pytest.raises(InputError, match=message),
        ):
            video.predict_video(model, opened, BoxesByName(boxes))


def test_video_boxes_that_are_all_outside_are_refused_before_the_video_is_read(clip):
    outside = (500, 4, 20, 40)
    for boxes, message in (
        (BoxesByName({}, [outside]), r"every frame of the video: The box 500,4,20,40 lies outside"),
        (BoxesByName({"2": [outside]}), r"frame 2 of the video: The box 500,4,20,40 lies outside"),
    ):
        with video_files.Video(clip) as opened:
            with pytest.raises(InputError, match=message):
                video_boxes.check(opened, boxes)
            assert video_boxes.check(opened, boxes._replace(default=[LEFT, outside]))


def test_video_goes_on_without_an_unusable_box(model, clip, tmp_path):
    named = BoxesByName({"2": [LEFT, (500, 4, 20, 40)], "99": [LEFT]})
    with video_files.Video(clip) as opened:
        before = video_boxes.check(opened, named)
        people = video.predict_video(model, opened, named)
    assert [track.frames for track in people.tracks] == [[2]]
    assert "frame 2 of the video: The box 500,4,20,40 lies outside" in people.problems[0]
    assert f"--boxes names 99, but {clip} has {NUM_FRAMES} frames" == people.problems[1]
    assert before == people.problems


def test_recording_ends_after_its_frames_or_ctrl_c(clip, tmp_path, monkeypatch):
    real = video_files.Video

    class Camera(real):
        def __init__(self, number):
            assert number == 3
            super().__init__(clip)

        def __iter__(self):
            yield from super().__iter__()
            raise KeyboardInterrupt

    monkeypatch.setattr(video_files, "Video", Camera)
    for count, expected in ((5, 5), (0, NUM_FRAMES)):
        path = video_files.record(3, tmp_path / f"{count}.mp4", count)
        with real(path) as recorded:
            assert recorded.rate_hz == RATE_HZ
            assert len(list(recorded)) == expected


def test_video_is_opened_once_to_predict_and_once_to_draw(model, clip, tmp_path, monkeypatch):
    opened, real = [], cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda path: opened.append(path) or real(path))
    write(model, clip, tmp_path, BoxesByName({}, [LEFT]), ["overlay", "npz", "glb"])
    assert opened.count(str(clip)) == 2


def test_video_gives_no_frames_after_it_was_closed(clip):
    with video_files.Video(clip) as opened:
        assert next(iter(opened)).shape == (48, 96, 3)
    assert list(opened) == []


def test_video_motions_are_written_for_animators(clip, tmp_path):
    """The tiny body has no trunk to measure, so that the built-in one moves here."""
    body = body_model.read_model()
    hmr = HMR(tiny_hmr.encoder(tiny_hmr.SIZE), IterativeRegressor(mean_theta(), 1), SMPL(body))
    model, boxes = Model(hmr, body), BoxesByName({"2": [LEFT], "5": [LEFT, RIGHT]})
    motion_formats = [name for name, row in output_formats.FORMATS.items() if row.motion]
    written = write(model, clip, tmp_path, boxes, motion_formats, up_axis="z")
    assert sorted(path.name for path in written) == [
        *("clip.glb", "clip.html", "clip_measures.csv"),
        *(f"clip_person_0{end}" for end in (".bvh", "_amass.npz", "_measures.png")),
        *(f"clip_person_1{end}" for end in (".bvh", "_amass.npz", "_measures.png")),
    ]
    for number, entered in ((0, 2), (1, 5)):  # all files begin with the video, gaps filled
        with np.load(tmp_path / f"clip_person_{number}_amass.npz") as file:
            assert file["poses"].shape == (6, 72)
            assert file["mocap_framerate"] == RATE_HZ
            is_resting = (file["poses"][:, 3:] == 0).all(axis=1)
            assert is_resting.tolist() == [frame < entered for frame in range(6)]
        assert "Frames: 6\n" in (tmp_path / f"clip_person_{number}.bvh").read_text()
    glb = Glb((tmp_path / "clip.glb").read_bytes())
    assert glb.node("person_1")
    assert glb.animation_times()[-1] == pytest.approx(5 / RATE_HZ)
    head, first, _ = (tmp_path / "clip_measures.csv").read_text().splitlines()
    assert head == "person,height_m,chest_m,waist_m,hips_m,arm_m,leg_m"
    assert 1.2 < float(first.split(",")[1]) < 2.2


def test_video_that_is_refined_has_one_shape_for_each_person(model, clip, monkeypatch):
    boxes = BoxesByName({}, [LEFT, RIGHT])
    with video_files.Video(clip) as opened:
        plain = video.predict_video(model, opened, boxes)
    monkeypatch.setattr(model, "refine", True)
    monkeypatch.setattr(model, "_refine", lambda predicted, *_: predicted)
    with video_files.Video(clip) as opened:
        refined = video.predict_video(model, opened, boxes)
    for track, before in zip(refined.tracks, plain.tracks):
        betas, shapes = (np.stack([p["betas"] for p in t.people]) for t in (track, before))
        np.testing.assert_allclose(betas, np.tile(shapes.mean(axis=0), (NUM_FRAMES, 1)), atol=1e-5)
        assert np.ptp(shapes, axis=0).max() > 1e-3
        for person, other in zip(track.people, before.people):
            np.testing.assert_allclose(person["rotations"], other["rotations"], atol=1e-4)
