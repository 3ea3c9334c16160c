"""A disk that is full in the middle of a file: no half of it, and the reason."""

import errno
from pathlib import Path

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.exporters import motion_outputs, output_formats, photo_outputs
from hmr_tf.exporters.annotations import coco_json
from hmr_tf.inference import video_files
from hmr_tf.inference.model import Model
from tests.fakes import tiny_hmr
from tests.fakes.full_disk import room_for
from tests.fakes.motions import walker

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    model = Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))
    return photo_outputs.Scene(PICTURE, model.predict(PICTURE, (10, 5, 20, 30)), model.body)


@pytest.fixture(scope="module")
def clip():
    people = [walker("person_0", 2), walker("person_1", 2, seed=1)]
    return motion_outputs.Clip(
        people, body_model.read_model(body_model.BUILT_IN), 25.0, image=PICTURE
    )


@pytest.mark.parametrize("wanted", output_formats.names("photo"))
def test_full_disk_leaves_no_half_file_of_any_format(wanted, scene, clip, tmp_path):
    def write(stem):
        if output_formats.FORMATS[wanted].photographs:
            images = [coco_json.annotated("me.jpg", PICTURE, scene.people)]
            return output_formats.write_photographs(Path(stem).parent, [wanted], images)
        return output_formats.write(stem, [wanted], "photo", scene, lambda _: clip)

    (tmp_path / "whole").mkdir()
    whole = {path.name: path.read_bytes() for path in write(str(tmp_path / "whole/me"))}
    (tmp_path / "full").mkdir()
    longest = max(map(len, whole.values()))
    with room_for(longest // 2), pytest.raises(OSError, match="large") as error:
        write(str(tmp_path / "full/me"))
    assert error.value.errno == errno.EFBIG
    left = {path.name: path.read_bytes() for path in (tmp_path / "full").iterdir()}
    assert len(left) < len(whole)
    assert all(whole[name] == content for name, content in left.items())


@pytest.mark.parametrize("num_bytes", [0, 10, 2_000, 20_000])
def test_full_disk_leaves_no_half_video(num_bytes, tmp_path):
    rng = np.random.default_rng(0)

    def write():
        with video_files.writer(tmp_path / "me.mp4", 25.0) as append:
            for _ in range(20):
                append(rng.integers(0, 256, (64, 96, 3), np.uint8))

    with room_for(num_bytes), pytest.raises(OSError, match=r"disk full|cannot be written"):
        write()
    assert not list(tmp_path.iterdir())
    write()
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]
    assert (tmp_path / "me.mp4").stat().st_size > 20_000
    with video_files.Video(tmp_path / "me.mp4") as video:
        assert len(list(video)) == 20
