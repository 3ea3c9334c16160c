"""Human3.6M as unpacked by the project h36m-fetch: S1/Directions-1/annot.h5, and the images
S1/Directions-1/imageSequence/54138969/img_000001.jpg. All of its frames are taken.
"""

import h5py
import numpy as np

from data_prep.reader_items import IndexNote, Skipped
from data_prep.readers import frame_numbering
from data_prep.readers.h36m import h36m_frames, h36m_smpl
from data_prep.readers.h36m.h36m_recordings import (
    CAMERA_IDS,
    Recording,
    action_named,
    skip_if_corrupt,
)
from hmr_tf.files.errors import InputError

_ANNOTATIONS = "annot.h5"
_ROW_SHAPES = {
    "frame": (),
    "camera": (),
    "pose/2d": (h36m_frames.NUM_JOINTS, 2),
    "pose/3d": (h36m_frames.NUM_JOINTS, 3),
}
_MAX_ROWS = 200_000  # four cameras with less than 7,000 frames each


def has_layout(data_dir):
    return any(data_dir.glob(f"S*/*/{_ANNOTATIONS}"))


def read(data_dir, subjects, metadata):
    """Yields a LabelledPerson or Skipped for every frame, by subject, action, take, camera."""
    smpl_folder = h36m_smpl.find(data_dir)
    takes = {}
    for path in sorted(p for s in subjects for p in data_dir.glob(f"{s}/*/{_ANNOTATIONS}")):
        take = _take(path.parent, metadata)
        if take is None:
            yield Skipped("folder of an unknown take", str(path.parent))
        elif takes.setdefault(take, path) != path:
            yield Skipped("second folder of the same take", str(path.parent))
    for take, path in sorted(takes.items(), key=lambda pair: pair[0].order):
        try:
            annotations = _read_annotations(path)
        except InputError as error:
            yield Skipped("annot.h5 unreadable", str(error))
            continue
        for camera, camera_id in enumerate(CAMERA_IDS):
            recording = take._replace(camera=camera)
            rows = np.flatnonzero(annotations["camera"] == int(camera_id))
            corrupt = skip_if_corrupt(recording)
            if len(rows) and corrupt:
                yield corrupt
            else:
                images = path.parent / "imageSequence" / camera_id
                intrinsics = metadata.intrinsics[camera]
                yield from _frames(recording, images, annotations, rows, intrinsics, smpl_folder)


def _take(folder, metadata):
    """S1/Directions-1 -> Recording of camera 0, or None if there is no such take."""
    name, _, subaction = folder.name.rpartition("-")
    action, subject = action_named(name), folder.parent.name
    if action is None or subaction not in ("1", "2"):
        return None
    trial = int(subaction) - 1
    stem = metadata.stem(subject, action, trial)
    return stem and Recording(subject, action, trial, 0, stem)


def _frames(recording, images, annotations, rows, intrinsics, smpl_folder):
    if not len(rows):
        return
    fits, fault = h36m_smpl.read(smpl_folder, recording)
    if fault:
        yield fault
    first = 0 if (annotations["frame"] == 0).any() else 1
    frames = annotations["frame"].astype(int) - first
    first_image = frame_numbering.first_number(
        lambda number: _image(images, number).is_file(), frames.max() + 1, default=first
    )
    yield IndexNote(f"frames counted from {first}, images numbered from {first_image}", len(rows))
    for row in rows:
        frame = int(frames[row])
        yield h36m_frames.person(
            recording,
            frame,
            image=str(_image(images, frame + first_image)),
            keypoints_px=h36m_frames.lsp_joints(annotations["pose/2d"][row]),
            joints=h36m_frames.lsp_joints(annotations["pose/3d"][row]) / 1000,
            intrinsics=intrinsics,
            smpl=fits.at(frame),
        )


def _image(folder, number):
    return folder / f"img_{number:06d}.jpg"


def _read_annotations(path):
    """annot.h5 -> dict of arrays with a row for each frame; InputError if it has other contents."""
    try:
        with h5py.File(path, "r") as file:
            num_rows = len(file["frame"])
            for name, shape in _ROW_SHAPES.items():
                dataset = file[name]
                if dataset.shape != (num_rows, *shape) or dataset.dtype.kind not in "iuf":
                    raise InputError(f"its {name} is not as h36m-fetch writes it")
            if num_rows > _MAX_ROWS:
                raise InputError(f"it has {num_rows} rows")
            annotations = {name: file[name][...] for name in _ROW_SHAPES}
        frames = annotations["frame"]
        if not ((frames >= 0) & (frames <= _MAX_ROWS)).all():
            raise InputError("the numbers of the frames are not 1, 2, 3, ...")
        return annotations
    except Exception as error:  # h5py raises anything for damaged files
        reason = str(error) if isinstance(error, InputError) else "damaged, or another kind of file"
        raise InputError(f"{path} is not a readable {_ANNOTATIONS} ({reason})") from error
