"""What readers yield: a labelled person, a motion capture pose, or the reason why there is none."""

import dataclasses
from typing import NamedTuple, Optional, Union

import numpy as np


class VideoFrame(NamedTuple):
    """One frame of a video, as a source image."""

    path: str
    index: int  # from 0


class CropRule(NamedTuple):
    """How people are cropped out of their source images: one rule for a whole dataset."""

    window_px: Optional[int] = None  # side of the square cut out of the scaled image; None: no cut
    center_on_pixel: bool = False  # whether the square's centre is rounded to a whole pixel
    min_inside: int = 0  # labelled points that must lie inside the image
    reencode_quality: Optional[int] = None  # of a JPEG that the decoded image goes through first


NO_CROP = CropRule()  # the image is stored as it is


@dataclasses.dataclass(frozen=True)
class LabelledPerson:
    """One labelled person in one source image.

    Points are (x, y) pixels of the source image. Orders: `skeleton.KEYPOINTS`, `LSP_JOINTS`.
    """

    image: Union[str, VideoFrame, np.ndarray]  # path, frame, or (H, W, 3) uint8 RGB
    keypoints_px: np.ndarray  # (19, 2)
    labelled: np.ndarray  # (19,) int: 0 no, 1 or 2 yes (COCO: occluded, visible)
    filename: str = ""  # stored name; empty: the base name of `image`
    has_face: bool = False  # whether the dataset labels the five face points at all
    labelled_size: Optional[tuple] = (
        None  # (height, width) of the image that was labelled, if known
    )
    # (4,) x_min, y_min, x_max, y_max in whose middle the crop is; None: of the labelled points
    box_px: Optional[np.ndarray] = None
    make_upright: bool = False  # by its EXIF, as photographs; published datasets keep their pixels
    crop_rule: CropRule = NO_CROP
    scale: float = 1.0  # factor on the image before the cut; with `crop_rule.window_px` only
    lsp_joints: Optional[np.ndarray] = None  # (14, 3) metres, camera coordinates
    pose: Optional[np.ndarray] = None  # (24, 3) axis-angle; only with `lsp_joints` and `betas`
    betas: Optional[np.ndarray] = None  # (10,)
    camera: Optional[np.ndarray] = None  # (3,) focal length and principal point, pixels
    sequence: str = ""  # the sequence that a frame belongs to
    # `record.Reference` or `smpl_truth.SmplTruth`, of a test set
    reference: Optional[tuple] = None


class MocapPose(NamedTuple):
    """One pose of motion capture, for the pose prior."""

    pose: np.ndarray  # (72,) axis-angle
    betas: np.ndarray  # (10,)


class Skipped(NamedTuple):
    """A person who is not converted. Yielded in place of a LabelledPerson or MocapPose."""

    reason: str  # equal for all people skipped for this reason: they are counted
    where: str  # file, annotation id or frame
    is_problem: bool = True  # False: a rule of the dataset leaves this person out


class IndexNote(NamedTuple):
    """A remark for the index about some of the records. Equal notes add up."""

    note: str
    number: int  # of records
