"""Names of Human3.6M's recordings, as in the original's file names."""

TEST_SUBJECTS = ("S9", "S11")
# Names, with their slip, and order of the original's `benchmark/evaluate_h36m.py:96-100`.
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "TakingPhoto", "Waiting", "Walking", "WakingDog"),
    "WalkTogether",
)
TRIALS, CAMERAS = (0, 1), (0, 1, 2, 3)  # 60457274, the fourth, is in front
# This recording's video is broken; no evaluation uses it.
CORRUPT = "S11_Directions_1_cam0"


def sequence_name(subject, action, trial, camera):
    """As "S9_Directions_0_cam0"."""
    return f"{subject}_{action}_{trial}_cam{camera}"


def sequences_to_test(trials, cameras):
    """Names of the test subjects' recordings without the corrupt one, by action and subject."""
    names = [
        sequence_name(subject, action, trial, camera)
        for action in ACTIONS
        for subject in TEST_SUBJECTS
        for trial in trials
        for camera in cameras
    ]
    return [name for name in names if name != CORRUPT]


def action_of(sequence):
    """Action in the name of a sequence, as "S9_Directions_0_cam0"."""
    return sequence.split("_")[1]
