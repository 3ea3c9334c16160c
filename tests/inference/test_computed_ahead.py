"""Frames that a thread computes while earlier ones are used: order, bounds, errors, ends."""

import contextlib
import itertools
import threading
import time

import numpy as np
import pytest

from hmr_tf.exporters import video_outputs
from hmr_tf.inference import video, video_files
from hmr_tf.inference.boxes import BoxesByName
from hmr_tf.inference.computed_ahead import computed_ahead
from hmr_tf.inference.model import Model
from hmr_tf.networks import engines
from tests.fakes import tiny_hmr


def num_threads():
    return sum(thread.name == computed_ahead.__name__ for thread in threading.enumerate())


def wait_until(condition):
    limit = time.monotonic() + 20
    while not condition() and time.monotonic() < limit:
        time.sleep(0.01)
    assert condition()


def test_computed_ahead_yields_all_in_order():
    assert list(computed_ahead(range(100), most=3)) == [*range(100)]
    assert list(computed_ahead([], most=3)) == []
    assert num_threads() == 0


def test_computed_ahead_computes_a_bounded_number_and_ends_with_its_user():
    counts = []
    items = computed_ahead((counts.append(n) or n for n in itertools.count()), most=4)
    assert next(items) == 0
    wait_until(lambda: len(counts) == 6)  # one used, four wait, one is to be put
    time.sleep(0.3)
    assert len(counts) == 6
    items.close()
    assert num_threads() == 0


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_computed_ahead_raises_what_its_items_raise(kind):
    def items():
        yield 1
        raise kind("reason")

    ahead = computed_ahead(items(), most=4)
    assert next(ahead) == 1
    with pytest.raises(kind, match="reason"):
        next(ahead)


def write_clip(path, num_frames):
    rng = np.random.default_rng(0)
    with video_files.writer(path, 10.0) as write:
        for _ in range(num_frames):
            write(rng.integers(0, 256, (24, 32, 3), np.uint8))
    return path


@pytest.mark.parametrize("stopped", ["predicting", "drawing"])
def test_video_that_is_stopped_leaves_no_file_and_no_thread(tmp_path, monkeypatch, stopped):
    """Ctrl-C in the middle of either pass."""
    model = Model(*tiny_hmr.with_body(tmp_path))
    path, folder = write_clip(tmp_path / "clip.mp4", 100), tmp_path / "out"
    calls = itertools.count()

    def then_stop(*_, **__):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return original(*_, **__)

    owner, name = {
        "predicting": (model, "predict_batch"),
        "drawing": (video_outputs, "_with_mesh"),
    }[stopped]
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, then_stop)

    def predict_and_draw():
        with video_files.Video(path) as opened:
            people = video.predict_video(model, opened, BoxesByName({}, [(4, 4, 16, 16)]))
        video_outputs.write(folder, people, model.body, model.vertices_of, ["overlay"])

    with pytest.raises(KeyboardInterrupt):
        predict_and_draw()
    assert not folder.exists() or list(folder.iterdir()) == []
    assert num_threads() == 0


def test_video_holds_a_bounded_number_of_frames(tmp_path, monkeypatch):
    """While the network is busy with all batches that are predicted at once, reading pauses."""
    monkeypatch.setattr(engines, "calls_at_once", lambda: 2)
    model = Model(*tiny_hmr.with_body(tmp_path))
    path, read, used, most = write_clip(tmp_path / "clip.mp4", 80), [], [], []
    original = model.predict_batch

    def frames(self):
        for image in real(self):
            read.append(image.shape)
            yield image

    def slow(images, *rest, **options):
        time.sleep(0.2)
        most.append(len(read) - len(used))
        used.extend(images)
        return original(images, *rest, **options)

    real = video_files.Video.__iter__
    monkeypatch.setattr(video_files.Video, "__iter__", frames)
    monkeypatch.setattr(model, "predict_batch", slow)
    with contextlib.closing(video_files.Video(path)) as opened:
        people = video.predict_video(model, opened, BoxesByName({}, [(4, 4, 16, 16)]))
    assert people.tracks[0].frames == [*range(80)]
    # Two batches in the network, one that waits, those read ahead, and one that is being gathered.
    assert max(most) <= 5 * video.FRAMES_PER_BATCH + 1
