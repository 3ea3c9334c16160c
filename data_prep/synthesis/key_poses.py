"""Common human poses, written by hand, and joint limits. All angles in degrees.

A pose names what differs from SMPL's rest pose (standing, arms stretched sideways). "hips" is both
hips, "left_hip" one. Three numbers rotate a joint in this order, from the person's point of view:

    hip                swing forward, spread outward, rotate the toes in
    shoulder           swing forward, lower from the horizontal, rotate in about its length
    spine, head        bend forward, lean left, rotate left (shared by the joints it has)
    knee, elbow        bend
    ankle              point the toes
    collar             raise
"""

# name: (relative frequency, pose). Half of the time the sampler mirrors the pose.
KEY_POSES = {
    "stand": (6, {
        "shoulders": (0, 76, 0), "elbows": (12,), "hips": (0, 1, -5),
    }),
    "stand, weight on the left leg": (4, {
        "spine": (3, -8, 5), "shoulders": (4, 74, 10), "elbows": (18,), "left_hip": (0, -4, -6),
        "right_hip": (12, 12, -14), "right_knee": (20,),
    }),
    "walk, left foot in front": (4, {
        "spine": (4, 0, -6), "elbows": (22,), "left_shoulder": (-22, 76, 0),
        "right_shoulder": (22, 76, 0), "left_hip": (26, 2, -4), "left_knee": (8,),
        "left_ankle": (-6,), "right_hip": (-16, 2, -4), "right_knee": (22,), "right_ankle": (14,),
    }),
    "walk, left leg passes": (3, {
        "spine": (4, 0, 0), "elbows": (20,), "left_shoulder": (-8, 76, 0),
        "right_shoulder": (8, 76, 0), "left_hip": (18, 2, -2), "left_knee": (52,),
        "left_ankle": (5,), "right_hip": (-2, 2, -4), "right_knee": (6,),
    }),
    "run, left knee in front": (2, {
        "spine": (14, 0, -12), "head": (-8, 0, 6), "left_shoulder": (-42, 72, 5),
        "left_elbow": (80,), "right_shoulder": (40, 72, 10), "right_elbow": (92,),
        "left_hip": (62, 2, 0), "left_knee": (88,), "left_ankle": (-5,), "right_hip": (-24, 2, -2),
        "right_knee": (18,), "right_ankle": (28,),
    }),
    "run, right heel high": (2, {
        "spine": (12, 0, 6), "elbows": (86,), "left_shoulder": (26, 72, 10),
        "right_shoulder": (-32, 72, 0), "left_hip": (22, 2, 0), "left_knee": (26,),
        "right_hip": (-8, 2, 0), "right_knee": (105,), "right_ankle": (22,),
    }),
    "sit on a chair": (3, {
        "spine": (10, 0, 0), "shoulders": (28, 72, 8), "elbows": (48,), "hips": (84, 9, -4),
        "knees": (86,),
    }),
    "sit, one leg over the other": (1, {
        "spine": (12, 0, 4), "shoulders": (30, 72, 28), "elbows": (62,), "left_hip": (84, 4, -6),
        "left_knee": (82,), "right_hip": (98, -14, -4), "right_knee": (64,), "right_ankle": (18,),
    }),
    "sit on the floor, legs crossed": (1, {
        "spine": (18, 0, 0), "shoulders": (30, 66, 14), "elbows": (46,), "hips": (82, 32, -42),
        "knees": (112,), "ankles": (15,),
    }),
    "sit on the floor, legs stretched": (1, {
        "spine": (-8, 0, 0), "shoulders": (-36, 66, -20), "elbows": (10,), "hips": (72, 12, -10),
        "knees": (14,),
    }),
    "squat": (2, {
        "spine": (26, 0, 0), "head": (-16, 0, 0), "shoulders": (72, 72, 12), "elbows": (28,),
        "hips": (98, 20, -16), "knees": (112,), "ankles": (-26,),
    }),
    "ready for the ball": (2, {
        "spine": (20, 0, 0), "head": (-14, 0, 0), "shoulders": (30, 66, 26), "elbows": (76,),
        "hips": (46, 16, -14), "knees": (58,), "ankles": (-16,),
    }),
    "arms up": (2, {
        "head": (-8, 0, 0), "collars": (22,), "shoulders": (0, -58, 0), "elbows": (18,),
        "hips": (0, 8, -6),
    }),
    "arms spread": (2, {
        "shoulders": (0, 8, 0), "elbows": (10,), "hips": (0, 10, -6),
    }),
    "wave": (2, {
        "head": (0, 4, 12), "left_collar": (12,), "left_shoulder": (10, -12, -66),
        "left_elbow": (72,), "right_shoulder": (0, 75, 0), "right_elbow": (14,), "hips": (0, 5, -6),
    }),
    "point forward": (1, {
        "spine": (4, 0, -8), "left_shoulder": (82, 74, 0), "left_elbow": (8,),
        "right_shoulder": (0, 74, 0), "right_elbow": (15,), "left_hip": (10, 4, -6),
        "left_knee": (10,),
    }),
    "reach forward with both": (1, {
        "spine": (14, 0, 0), "shoulders": (80, 80, 6), "elbows": (14,), "hips": (12, 6, -6),
        "knees": (16,),
    }),
    "throw with the right": (2, {
        "spine": (-6, -10, -26), "head": (0, 0, 24), "left_shoulder": (48, 52, 0),
        "left_elbow": (24,), "right_shoulder": (-6, 2, -70), "right_elbow": (88,),
        "left_hip": (38, 10, -10), "left_knee": (22,), "right_hip": (-14, 12, -24),
        "right_knee": (28,),
    }),
    "serve": (1, {
        "spine": (-12, 6, -10), "head": (-26, 0, 6), "left_collar": (20,),
        "left_shoulder": (20, -52, 0), "left_elbow": (8,), "right_shoulder": (-10, 12, -62),
        "right_elbow": (112,), "knees": (26,), "left_hip": (12, 6, -6), "right_hip": (4, 8, -10),
    }),
    "swing a club to the left": (1, {
        "spine": (22, 0, 30), "head": (8, 0, -30), "left_shoulder": (44, 50, 0),
        "left_elbow": (16,), "right_shoulder": (72, 84, 36), "right_elbow": (30,),
        "hips": (24, 10, -8), "knees": (24,),
    }),
    "kick with the right": (2, {
        "spine": (-8, 0, 10), "elbows": (26,), "left_shoulder": (26, 34, 0),
        "right_shoulder": (-26, 44, 0), "left_hip": (2, 2, -10), "left_knee": (16,),
        "right_hip": (72, 6, -6), "right_knee": (24,), "right_ankle": (24,),
    }),
    "kick, leg drawn back": (1, {
        "spine": (14, 0, -10), "elbows": (28,), "left_shoulder": (24, 28, 0),
        "right_shoulder": (-20, 40, 0), "left_hip": (20, 2, -6), "left_knee": (26,),
        "right_hip": (-24, 8, -4), "right_knee": (82,), "right_ankle": (20,),
    }),
    "lunge": (2, {
        "spine": (4, 0, 0), "shoulders": (-4, 48, 44), "elbows": (82,), "left_hip": (82, 6, -4),
        "left_knee": (88,), "right_hip": (-24, 4, -4), "right_knee": (34,), "right_ankle": (-16,),
    }),
    "lunge to the left": (1, {
        "spine": (16, 12, 0), "shoulders": (54, 66, 10), "elbows": (36,), "left_hip": (56, 36, -30),
        "left_knee": (72,), "left_ankle": (-14,), "right_hip": (12, 34, -10), "right_knee": (6,),
    }),
    "bend down": (2, {
        "spine": (58, 0, 0), "head": (12, 0, 0), "shoulders": (84, 80, 4), "elbows": (14,),
        "hips": (58, 6, -6), "knees": (22,), "ankles": (-8,),
    }),
    "pick something up": (1, {
        "spine": (40, 0, -8), "left_shoulder": (46, 68, 10), "left_elbow": (58,),
        "right_shoulder": (64, 78, 4), "right_elbow": (10,), "left_hip": (88, 8, -8),
        "left_knee": (96,), "left_ankle": (-18,), "right_hip": (32, 8, -8), "right_knee": (84,),
        "right_ankle": (-20,),
    }),
    "climb": (1, {
        "spine": (8, -6, 0), "head": (-24, 0, 0), "left_collar": (10,),
        "left_shoulder": (46, 4, -40), "left_elbow": (84,), "right_collar": (20,),
        "right_shoulder": (30, -48, 0), "right_elbow": (26,), "left_hip": (86, 28, -20),
        "left_knee": (98,), "right_hip": (6, 12, -10), "right_knee": (14,),
    }),
    "arms crossed": (2, {
        "left_shoulder": (30, 78, 50), "left_elbow": (98,), "right_shoulder": (38, 74, 46),
        "right_elbow": (92,), "hips": (0, 5, -8),
    }),
    "hands on hips": (2, {
        "shoulders": (-22, 46, 50), "elbows": (92,), "hips": (0, 8, -8),
    }),
    "hand at the ear": (1, {
        "head": (6, 8, 0), "left_shoulder": (34, 68, -6), "left_elbow": (138,),
        "right_shoulder": (0, 76, 0), "right_elbow": (20,), "hips": (0, 4, -6),
    }),
    "hands in front": (3, {
        "spine": (6, 0, 0), "head": (20, 0, 0), "shoulders": (14, 76, 24), "elbows": (82,),
    }),
    "hands behind the head": (1, {
        "collars": (14,), "shoulders": (-4, -12, -72), "elbows": (126,), "hips": (0, 6, -6),
    }),
    "dance, one arm over the head": (2, {
        "spine": (-4, 12, 10), "left_collar": (18,), "left_shoulder": (20, -46, -20),
        "left_elbow": (58,), "right_shoulder": (12, 18, 0), "right_elbow": (34,),
        "left_hip": (4, 6, -20), "left_knee": (10,), "right_hip": (-10, 26, -20),
        "right_knee": (24,), "right_ankle": (34,),
    }),
    "star jump": (1, {
        "collars": (14,), "shoulders": (0, -34, 0), "elbows": (8,), "hips": (6, 34, -10),
        "ankles": (30,),
    }),
    "jump, knees bent": (1, {
        "spine": (8, 0, 0), "shoulders": (40, 30, 0), "elbows": (40,), "hips": (44, 10, -6),
        "knees": (78,), "ankles": (26,),
    }),
    "kneel": (1, {
        "shoulders": (18, 74, 12), "elbows": (34,), "hips": (8, 8, -6), "knees": (104,),
        "ankles": (52,),
    }),
    "fight": (1, {
        "spine": (10, 0, -18), "head": (10, 0, 14), "left_shoulder": (62, 64, 10),
        "left_elbow": (92,), "right_shoulder": (38, 74, 10), "right_elbow": (124,),
        "left_hip": (24, 10, -6), "left_knee": (28,), "right_hip": (-4, 12, -20),
        "right_knee": (26,),
    }),
}  # fmt: skip

# Joint limits: lowest and highest x, y and z of the axis-angle vector, for the left side.
JOINT_LIMITS = {
    "hip": ((-125, 32), (-60, 60), (-32, 62)),
    "knee": ((-2, 150), (-12, 12), (-8, 8)),
    "ankle": ((-32, 58), (-18, 18), (-18, 18)),
    "foot": ((-20, 25), (-6, 6), (-6, 6)),
    "spine1": ((-14, 32), (-18, 18), (-14, 14)),
    "spine2": ((-14, 30), (-18, 18), (-12, 12)),
    "spine3": ((-12, 28), (-18, 18), (-12, 12)),
    "neck": ((-32, 36), (-42, 42), (-26, 26)),
    "head": ((-28, 30), (-36, 36), (-22, 22)),
    "collar": ((-10, 10), (-16, 16), (-14, 30)),
    "shoulder": ((-105, 75), (-125, 55), (-100, 82)),
    "elbow": ((-45, 45), (-150, 4), (-12, 12)),
    "wrist": ((-35, 35), (-25, 25), (-55, 55)),
    "hand": ((-10, 10), (-10, 10), (-25, 15)),
}

# Standard deviation of the noise on each joint.
NOISE = {
    "hip": 6, "knee": 7, "ankle": 7, "foot": 3, "spine1": 4, "spine2": 4, "spine3": 4, "neck": 7,
    "head": 7, "collar": 3, "shoulder": 10, "elbow": 11, "wrist": 14, "hand": 5,
}  # fmt: skip
