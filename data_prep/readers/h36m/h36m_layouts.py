"""Human3.6M in one of three layouts: as distributed, of h36m-fetch, or of SPIN and mmpose.

HMR published no converter for it. Crops follow its rule for MPI-INF-3DHP. Of 50 frames a second 10
are taken, which agrees with its 312,188 training images. One broken video of a test subject is left
out.
"""

from pathlib import Path

from data_prep.readers.h36m import h36m_fetch, h36m_npz, h36m_official, h36m_recordings
from hmr_tf.files.errors import InputError

_LAYOUTS = (h36m_official, h36m_fetch, h36m_npz)


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each frame, by subject, action, take, camera, frame.

    Each LabelledPerson has a `sequence`, as "S9_Directions_0_cam0". SMPL parameters come from the
    .npz or from MoSh's files (`h36m_smpl.find`), if there are any.

    Args:
      data_dir: folder with S1/ ... or with h36m*.npz and images/; optionally metadata.xml.
      split: "train" (S1, S5, S6, S7, S8) or "test" (S9, S11).

    Raises:
      InputError: no such split, no Human3.6M in the folder, an unreadable metadata.xml or .npz.
    """
    if split not in h36m_recordings.SUBJECTS:
        raise InputError(f"h36m has no split {split}: pass --split=train or --split=test")
    data_dir = Path(data_dir)
    layout = next((layout for layout in _LAYOUTS if layout.has_layout(data_dir)), None)
    if layout is None:
        raise InputError(
            f"there is no Human3.6M in {data_dir}: pass the folder that holds S1/MyPoseFeatures/, "
            "S1/Directions-1/annot.h5 (h36m-fetch) or h36m_train.npz (SPIN, mmpose)"
        )
    metadata = h36m_recordings.read_metadata(data_dir)
    yield from layout.read(data_dir, h36m_recordings.SUBJECTS[split], metadata)
