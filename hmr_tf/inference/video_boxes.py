"""The boxes of a video's frames: which are usable, and what is wrong with the others."""

from pathlib import Path

from hmr_tf.files.errors import InputError
from hmr_tf.inference.boxes import usable

_DEFAULT = -1  # stands for the frames that the file of boxes does not name


def check(video, boxes):
    """Checks the boxes before the video is read.

    Args:
      video: `video_files.Video`.
      boxes: `boxes.BoxesByName`.

    Returns:
      list of str: what is wrong with each unusable box, and with each name of no frame.

    Raises:
      InputError: no box is usable in any frame.
    """
    path = Path(video.source)
    of_frames = boxes.of_frames(path.stem, lambda: video.num_frames)
    problems, has_usable = list(of_frames.problems), False
    for number in (*of_frames.names, _DEFAULT):
        good, wrong = usable(of_frames.of_frame(number), *video.size)
        has_usable |= bool(good)
        frame = "every frame" if number == _DEFAULT else f"frame {number}"
        problems += [f"{frame} of the video: {text}" for text in wrong]
    if max(of_frames.names, default=_DEFAULT) >= video.stated_num_frames:
        problems += names_beyond(of_frames.names, video.num_frames, path)
    if problems and not has_usable:
        raise InputError(f"{path}: {problems[0]}")
    return problems


def names_beyond(names, num_frames, path):
    """What is wrong with listed names of frames that a video of `num_frames` does not have."""
    return [
        f"--boxes names {name}, but {path} has {num_frames} frames"
        for number, name in sorted(names.items())
        if number >= num_frames
    ]


def usable_in_images(boxes_of, images, first):
    """For each of successive frames, of which the first has this number, its usable boxes.

    Returns:
      list of lists of boxes, and list of str: what was wrong with the others.
    """
    of_images, problems = [], []
    for number, image in enumerate(images, first):
        good, wrong = usable(boxes_of(number), *image.shape[:2])
        of_images.append(good)
        problems += [f"frame {number} of the video: {text}" for text in wrong]
    return of_images, problems
