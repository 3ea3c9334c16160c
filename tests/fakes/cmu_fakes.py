"""Writes small skeletons and motions of Acclaim's form, with the names of CMU's bones."""

SIDES = {"l": 1, "r": -1}
# Bone -> parent, direction on the left side, degrees of freedom: a T-pose.
ARM = {
    "clavicle": ("thorax", (1, 0, 0), "ry rz"),
    "humerus": ("clavicle", (1, 0, 0), "rx ry rz"),
    "radius": ("humerus", (1, 0, 0), "ry"),
    "wrist": ("radius", (1, 0, 0), "rx"),
    "hand": ("wrist", (1, 0, 0), "ry rz"),
    "fingers": ("hand", (1, 0, 0), "rz"),
}
LEG = {
    "hipjoint": ("root", (0.7, -0.6, 0.3), ""),
    "femur": ("hipjoint", (0, -1, 0), "rx ry rz"),
    "tibia": ("femur", (0, -1, 0), "rx"),
    "foot": ("tibia", (0, 0, 1), "rx rz"),
    "toes": ("foot", (0, 0, 1), "rx"),
}
TRUNK = {
    "lowerback": ("root", (0, 1, 0), "rx ry rz"),
    "upperback": ("lowerback", (0, 1, 0), "rx ry rz"),
    "thorax": ("upperback", (0, 1, 0), "rx ry rz"),
    "lowerneck": ("thorax", (0, 1, 0), "rx ry rz"),
    "upperneck": ("lowerneck", (0, 1, 0), "rx ry rz"),
    "head": ("upperneck", (0, 1, 0), "rx ry rz"),
}


def bones():
    """Name -> [parent, direction, axes in degrees, degrees of freedom]."""
    all_bones = {name: [parent, way, (0, 0, 0), dof] for name, (parent, way, dof) in TRUNK.items()}
    for side, sign in SIDES.items():
        for name, (parent, (x, y, z), dof) in {**LEG, **ARM}.items():
            parent = parent if parent in ("root", "thorax") else side + parent
            all_bones[side + name] = [parent, (sign * x, y, z), (0, 0, 0), dof]
    return all_bones


def asf_text(asf_bones, angle="deg"):
    lines = [":version 1.10", ":name VICON", ":units", "mass 1.0", f"angle {angle}"]
    lines += [":documentation", "  some text", ":root", "order TX TY TZ RX RY RZ", "axis XYZ"]
    lines += ["position 0 0 0", "orientation 0 0 0", ":bonedata"]
    for number, (name, (_, way, axes, dof)) in enumerate(asf_bones.items()):
        lines += ["begin", f"id {number}", f"name {name}", f"direction {' '.join(map(str, way))}"]
        lines += ["length 2.5", f"axis {' '.join(map(str, axes))} XYZ"]
        lines += [f"dof {dof}", "limits (-160.0 20.0)", "(-70.0 70.0)"] if dof else []
        lines += ["end"]
    lines += [":hierarchy", "begin"]
    lines += [f"{parent} {name}" for name, (parent, *_) in asf_bones.items()]
    return "\n".join([*lines, "end", ""])


def amc_text(asf_bones, frames, head=":FULLY-SPECIFIED\n:DEGREES"):
    """`frames`: dicts of the bones that are not at rest -> their numbers; root: its six."""
    lines = ["#!OML:ASF a comment", head]
    for number, frame in enumerate(frames, start=1):
        lines.append(str(number))
        rest = {"root": [0] * 6, **{n: [0] * len(b[3].split()) for n, b in asf_bones.items()}}
        channels = {name: frame.get(name, zeros) for name, zeros in rest.items() if zeros}
        lines += [f"{name} {' '.join(map(str, numbers))}" for name, numbers in channels.items()]
    return "\n".join([*lines, ""])


def write(folder, frames, asf_bones=None, name="01_01"):
    """01.asf and 01_01.amc; returns the path of the latter."""
    asf_bones = asf_bones or bones()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name.partition('_')[0]}.asf").write_text(asf_text(asf_bones))
    path = folder / f"{name}.amc"
    path.write_text(amc_text(asf_bones, frames))
    return path
