"""Human3.6M as distributed: S1/MyPoseFeatures/{D2_Positions,D3_Positions_mono}/*.cdf, and
S1/Videos/*.mp4 with 50 frames a second; metadata.xml.
"""

from data_prep.reader_items import Skipped, VideoFrame
from data_prep.readers import files_by_extension
from data_prep.readers.formats import cdf
from data_prep.readers.h36m import h36m_frames, h36m_smpl
from data_prep.readers.h36m.h36m_recordings import skip_if_corrupt
from hmr_tf.files.errors import InputError

_POSES_2D, _POSES_3D = "MyPoseFeatures/D2_Positions", "MyPoseFeatures/D3_Positions_mono"
_ALL_TAKES = "_ALL"  # all takes of a subject in one file, besides the single ones


def has_layout(data_dir):
    return any(data_dir.glob(f"S*/{_POSES_3D}")) or any(data_dir.glob(f"S*/{_POSES_2D}"))


def read(data_dir, subjects, metadata):
    """Yields a LabelledPerson or Skipped for each 5th frame, by subject, action, take, camera."""
    smpl_folder = h36m_smpl.find(data_dir)
    recordings = []
    listed = [p for s in subjects for p in data_dir.glob(f"{s}/{_POSES_3D}/*")]
    yield from files_by_extension.skipped_hidden_files(listed, ".cdf")
    for path in files_by_extension.files_with_extension(listed, ".cdf"):
        stem, _, camera_id = path.stem.rpartition(".")
        recording = metadata.recording(path.parts[-4], stem, camera_id)
        if recording:
            recordings.append(recording)
        elif not stem.startswith(_ALL_TAKES):
            yield Skipped("take not in metadata.xml", str(path))
    for recording in sorted(recordings, key=lambda recording: recording.order):
        corrupt = skip_if_corrupt(recording)
        if corrupt:
            yield corrupt
        else:
            yield from _frames(data_dir, recording, metadata.intrinsics, smpl_folder)


def _frames(data_dir, recording, intrinsics, smpl_folder):
    folder = data_dir / recording.subject
    video = folder / "Videos" / f"{recording.file_stem}.mp4"
    if not video.is_file():
        yield Skipped("video missing", str(video))
        return
    try:
        keypoints_px = _read(folder / _POSES_2D, recording, 2)
        joints_mm = _read(folder / _POSES_3D, recording, 3)
    except FileNotFoundError as error:
        yield Skipped("positions missing", str(error))
        return
    except InputError as error:
        yield Skipped("positions unreadable", str(error))
        return
    if len(keypoints_px) != len(joints_mm):
        yield Skipped("2D and 3D positions of unequal length", str(video))
        return
    fits, fault = h36m_smpl.read(smpl_folder, recording)
    if fault:
        yield fault
    for frame in range(0, len(joints_mm), h36m_frames.FRAME_STEP):
        yield h36m_frames.person(
            recording,
            frame,
            image=VideoFrame(str(video), frame),
            keypoints_px=keypoints_px[frame],
            joints=joints_mm[frame] / 1000,
            intrinsics=intrinsics[recording.camera],
            smpl=fits.at(frame),
        )


def _read(folder, recording, num_axes):
    """(N, 14, num_axes) positions in LSP's order."""
    path = folder / f"{recording.file_stem}.cdf"
    points = cdf.read_pose(path, h36m_frames.NUM_JOINTS * num_axes)
    return h36m_frames.lsp_joints(points.reshape(len(points), -1, num_axes))
