"""Subjects, actions, takes and cameras of Human3.6M, and their names in files.

They are read from the dataset's metadata.xml; if a layout has none, from the tables here.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.reader_items import Skipped
from hmr_tf.data.h36m_names import ACTIONS, CORRUPT, TEST_SUBJECTS, sequence_name
from hmr_tf.files.errors import InputError

SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": TEST_SUBJECTS}
CAMERA_IDS = ("54138969", "55011271", "58860488", "60457274")
# Other names of `ACTIONS`, which metadata.xml numbers from 2.
_OTHER_NAMES = {
    "Photo": "TakingPhoto",
    "WalkDog": "WakingDog",
    "WalkingDog": "WakingDog",
    "WalkingTogether": "WalkTogether",
}
# The numbers in the names of an action's two takes: usually "NAME 1" and "NAME".
_USUAL_TAKES = (" 1", "")
_UNUSUAL_TAKES = {
    ("S1", "Eating"): (" 2", ""),
    ("S1", "Sitting"): (" 1", " 2"),
    ("S1", "SittingDown"): (" 2", ""),
    ("S5", "Directions"): (" 1", " 2"),
    ("S5", "Discussion"): (" 2", " 3"),
    ("S5", "Greeting"): (" 1", " 2"),
    ("S5", "SittingDown"): ("", " 1"),
    ("S5", "TakingPhoto"): ("", " 2"),
    ("S5", "Waiting"): (" 1", " 2"),
    ("S6", "Eating"): (" 1", " 2"),
    ("S6", "Posing"): (" 2", ""),
    ("S6", "Sitting"): (" 1", " 2"),
    ("S6", "TakingPhoto"): ("", " 1"),
    ("S6", "Waiting"): (" 3", ""),
    ("S7", "Phoning"): (" 2", ""),
    ("S7", "SittingDown"): ("", " 1"),
    ("S7", "TakingPhoto"): ("", " 1"),
    ("S7", "Waiting"): (" 1", " 2"),
    ("S7", "Walking"): (" 1", " 2"),
    ("S8", "SittingDown"): ("", " 1"),
    ("S8", "WalkTogether"): (" 1", " 2"),
    ("S9", "Discussion"): (" 1", " 2"),
    ("S9", "SittingDown"): ("", " 1"),
    ("S11", "Discussion"): (" 1", " 2"),
    ("S11", "Greeting"): (" 2", ""),
    ("S11", "Phoning"): (" 3", " 2"),
    ("S11", "SittingDown"): ("", " 1"),
    ("S11", "Smoking"): (" 2", ""),
}
# Focal length (the mean of x and y) and principal point of the cameras: pixels.
_INTRINSICS = np.array(
    [
        [(1145.04940458804 + 1143.78109572365) / 2, 512.541504956548, 515.4514869776],
        [(1149.67569986785 + 1147.59161666764) / 2, 508.848621645943, 508.064917088557],
        [(1149.14071676148 + 1148.7989685676) / 2, 519.815837182153, 501.402658888552],
        [(1145.51133842318 + 1144.77392807652) / 2, 514.968197319863, 501.882018537695],
    ]
)
_NUM_EXTRINSICS = 11 * len(CAMERA_IDS) * 6  # of 11 subjects; these come first in w0
_NUM_INTRINSICS = 9  # focal length x, y, principal point x, y, distortion
_MAX_XML_BYTES = 2**20  # the dataset's has 40 kB


class Recording(NamedTuple):
    """One take of one subject from one camera."""

    subject: str  # "S1"
    action: str  # of ACTIONS
    trial: int  # 0 or 1
    camera: int  # 0 to 3
    stem: str  # name of the take in file names: "Directions 1"

    @property
    def sequence(self):
        """The original's name of the recording: "S9_Directions_0_cam0"."""
        return sequence_name(self.subject, self.action, self.trial, self.camera)

    @property
    def file_stem(self):
        """The dataset's name of the recording: "Directions 1.54138969"."""
        return f"{self.stem}.{CAMERA_IDS[self.camera]}"

    @property
    def order(self):
        """Sort key."""
        return int(self.subject[1:]), ACTIONS.index(self.action), self.trial, self.camera

    def frame_name(self, frame):
        """Unique file name of the frame with this index (from 0), as in SPIN's layout."""
        return f"{self.subject}_{self.file_stem.replace(' ', '_')}_{frame + 1:06d}.jpg"


class Metadata(NamedTuple):
    """The contents of metadata.xml."""

    takes: dict  # (subject, name of the take) -> (action, trial)
    intrinsics: np.ndarray  # (4, 3) focal length and principal point of each camera, pixels

    def recording(self, subject, stem, camera_id):
        """The Recording with these names in files, or None.

        Spaces may be underscores, and actions have the names of any subject: "Photo 1" for S1's
        "TakingPhoto 1".
        """
        stem = self._known_stem(subject, stem.replace("_", " "))
        take = self.takes.get((subject, stem))
        if take is None or camera_id not in CAMERA_IDS:
            return None
        return Recording(subject, *take, CAMERA_IDS.index(camera_id), stem)

    def _known_stem(self, subject, stem):
        if (subject, stem) in self.takes:
            return stem
        name, _, number = stem.partition(" ")
        return next(
            (
                known
                for (other, known), (action, _) in self.takes.items()
                if other == subject
                and action == action_named(name)
                and known.partition(" ")[2] == number
            ),
            stem,
        )

    def stem(self, subject, action, trial):
        """Name of a take in file names, or None."""
        for (other, stem), take in self.takes.items():
            if other == subject and take == (action, trial):
                return stem
        return None


def skip_if_corrupt(recording):
    """Skipped for the one recording with a broken video, which no paper evaluates; else None."""
    if recording.sequence != CORRUPT:
        return None
    return Skipped("its video is broken", recording.sequence, is_problem=False)


def action_named(name):
    """Any name of an action -> its name in ACTIONS, or None."""
    name = _OTHER_NAMES.get(name, name)
    return name if name in ACTIONS else None


def read_metadata(data_dir):
    """Metadata from metadata.xml in the folder, or from the tables here if there is none.

    Raises:
      InputError: metadata.xml is not readable.
    """
    path = Path(data_dir) / "metadata.xml"
    if not path.is_file():
        return Metadata(_known_takes(), _INTRINSICS)
    try:
        if path.stat().st_size > _MAX_XML_BYTES:
            raise InputError("too large")
        text = path.read_text("utf8")
        if "<!ENTITY" in text:  # which could expand to gigabytes
            raise InputError("it declares entities")
        root = ET.fromstring(text)
        return Metadata(_takes(root.find("mapping")), _intrinsics(root.find("w0").text))
    except (OSError, ValueError, ET.ParseError, AttributeError, TypeError, InputError) as error:
        reason = str(error) if isinstance(error, InputError) else "damaged, or another kind of file"
        raise InputError(
            f"{path} is not a readable metadata.xml of Human3.6M ({reason}); download it again"
        ) from error


def _known_takes():
    takes = {}
    for subject in (*SUBJECTS["train"], *SUBJECTS["test"]):
        for action in ACTIONS:
            numbers = _UNUSUAL_TAKES.get((subject, action), _USUAL_TAKES)
            for trial, number in enumerate(numbers):
                takes[subject, _name_in_files(subject, action) + number] = (action, trial)
    return takes


def _name_in_files(subject, action):
    if subject == "S1":
        return {"WakingDog": "WalkingDog"}.get(action, action)
    return {"WakingDog": "WalkDog", "TakingPhoto": "Photo"}.get(action, action)


def _takes(mapping):
    """Rows have action, subaction (1 or 2), and a name for each subject in the first row."""
    (_, _, *subjects), *rows = ([cell.text or "" for cell in row] for row in mapping)
    takes = {}
    for _, subaction, *stems in rows:
        for subject, stem in zip(subjects, stems):
            action = action_named(re.sub(r" \d+$", "", stem))
            if action and subaction in ("1", "2"):
                takes[subject, stem] = (action, int(subaction) - 1)
    if not takes:
        raise InputError("no takes in its mapping")
    return takes


def _intrinsics(text):
    numbers = np.array(text.strip("[] \n").split(), float)[_NUM_EXTRINSICS:]
    if numbers.size != len(CAMERA_IDS) * _NUM_INTRINSICS or not np.isfinite(numbers).all():
        raise InputError("w0 does not hold the cameras")
    rows = numbers.reshape(len(CAMERA_IDS), _NUM_INTRINSICS)
    return np.column_stack([rows[:, :2].mean(axis=1), rows[:, 2:4]])
