"""Writes tiny fakes of MPII and MPI-INF-3DHP: their MATLAB files, calibration, frames, videos."""

import cv2
import h5py
import numpy as np
import scipy.io

from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_train
from tests.fakes.dataset_fakes import write_image

FRAME_PX = 160


def structs(entries):
    """Dicts with the same keys -> a MATLAB struct array, for savemat."""
    array = np.empty((1, len(entries)), [(key, object) for key in entries[0]])
    for place, entry in enumerate(entries):
        array[0, place] = tuple(entry.values())
    return array


def cells(values):
    """Arrays -> a MATLAB cell array, for savemat."""
    array = np.empty((len(values), 1), object)
    array[:, 0] = values
    return array


def mpii_person(points):
    """Dicts of x, y, id and so on -> the fields of one rectangle; None: no points."""
    annotated = {"annopoints": structs([{"point": structs(points)}])} if points else {}
    return {"x1": 1.0, **annotated, "scale": 2.5}


def write_mpii(folder, images, file="annotations/mpii_human_pose_v1_u12_1.mat"):
    """Each image: dict of name, people (of `mpii_person`), alone (numbers), is_train."""
    annolist = [
        {
            "image": structs([{"name": image["name"]}]),
            "annorect": structs(image["people"]) if image["people"] else np.empty((0, 0)),
        }
        for image in images
    ]
    release = {
        "annolist": structs(annolist),
        "img_train": np.array([[image.get("is_train", 1) for image in images]], np.uint8),
        "single_person": cells([np.array([image["alone"]], float).T for image in images]),
    }
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"RELEASE": structs([release])}, do_compression=True)
    for seed, image in enumerate(images):
        write_image(folder / "images" / image["name"], 180, 240, seed)
    return folder


def standing_3dhp(num_frames, rng):
    """Points (N, 28, 2) in pixels and joints (N, 28, 3) in mm of a person who does not move."""
    points = np.tile(rng.uniform(20, FRAME_PX - 20, (28, 2)), (num_frames, 1, 1))
    joints = np.tile(rng.uniform(-900, 900, (28, 3)), (num_frames, 1, 1))
    return points, joints


def write_sequence(folder, points, joints, is_hdf5=False, **more):
    """annot.mat and camera.calibration; camera c sees `points + c`. `more` replaces variables."""
    folder.mkdir(parents=True, exist_ok=True)
    flat_points, flat_joints = (x.reshape(len(x), -1) for x in (points, joints))
    content = {
        "annot2": [flat_points + camera for camera in range(14)],
        "annot3": [flat_joints + camera for camera in range(14)],
        "cameras": np.arange(14.0)[None],
        "frames": np.arange(float(len(points)))[:, None],
        **more,
    }
    path = folder / mpi_inf_3dhp_train.ANNOTATIONS
    if is_hdf5:
        _write_hdf5(path, content)
    else:
        lists = {key: cells(x) if isinstance(x, list) else x for key, x in content.items()}
        scipy.io.savemat(path, lists, do_compression=True)
    (folder / mpi_inf_3dhp_train.CALIBRATION).write_text(calibration())
    return folder


def _write_hdf5(path, content):
    """As MATLAB 7.3: axes in reverse, cells as references."""
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            if isinstance(value, list):
                members = [
                    file.create_dataset(f"#refs#/{key}{i}", data=x.T).ref
                    for i, x in enumerate(value)
                ]
                file.create_dataset(key, data=np.array([members], h5py.ref_dtype))
            else:
                file[key] = value.T


def calibration():
    """camera.calibration in which camera c has focal lengths 100 + c and 102 + c."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    for camera in range(14):
        matrix = f"{100 + camera} 0 {50 + camera} 0 0 {102 + camera} 60.5 0 0 0 1 0 0 0 0 1 "
        lines += [f"name          {camera}", "  sensor      10 10", "  size        2048 2048"]
        lines += ["  animated    0", f"  intrinsic   {matrix}"]
        lines += ["  extrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", "  radial      0"]
    return "\n".join(lines) + "\n"


def grey(index):
    """A plain frame whose brightness tells which it is."""
    return np.full((FRAME_PX, FRAME_PX, 3), 20 + 20 * index, np.uint8)


def write_frame(path, index):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), grey(index))


def write_video(path, num_frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (FRAME_PX, FRAME_PX)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, size)
    for index in range(num_frames):
        writer.write(grey(index))
    writer.release()


def write_testset_sequence(folder, points, joints, valid, **more):
    """annot_data.mat of (N, 17, 2) points and (N, 17, 3) joints, and the frames.

    The universal joints are half of them. `more` replaces variables, None takes them out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "annot2": points[:, None],
        "annot3": joints[:, None],
        "univ_annot3": joints[:, None] / 2,
        "valid_frame": np.array(valid, float)[:, None],
        "activity_annotation": np.arange(1.0, len(points) + 1)[:, None],
        **more,
    }
    with h5py.File(folder / "annot_data.mat", "w") as file:
        for key, value in content.items():
            if value is not None:
                file[key] = value
    for index in range(len(points)):
        write_frame(folder / "imageSequence" / f"img_{index + 1:06d}.jpg", index)
    return folder
