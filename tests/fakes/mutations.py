"""Random changes of a file's content: values of other types, missing entries, other shapes."""

import copy

import numpy as np

VALUES = (
    *(None, True, 0, -1, 1, 1e308, float("nan"), float("inf"), 10**400, 10**30, 0.5),
    *("", "a", "1", "nan", "人", "1e3", "1234", "x" * 300, "a\nb", "\0"),
    *([], [1], [[1]], [None], ["a"], [1, 2, 3, 4], {}, {"a": 1}, {"id": 1}),
)
TOKENS = ("", "a", "-1", "nan", "1e400", "inf", "0x1", "人", "9" * 25, "\0", ":", "<", "begin")


def mutant(content, rng):
    """A copy of dicts, lists, numbers, texts and arrays with one to three random changes."""
    content = copy.deepcopy(content)
    for _ in range(rng.integers(1, 4)):
        *folder, key = _random_place(content, rng)
        container = content
        for part in folder:
            container = container[part]
        _change(container, key, rng)
    return content


def _random_place(content, rng):
    """Keys that lead to a value at a random depth."""
    place = []
    while isinstance(content, (dict, list)) and content:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        place.append(keys[rng.integers(len(keys))])
        content = content[place[-1]]
        if rng.random() < 0.3:
            break
    return place or [0]


def _change(container, key, rng):
    if not container:
        return
    value, kind = container[key], rng.random()
    if isinstance(value, np.ndarray) and kind < 0.6:
        container[key] = other_array(value, rng)
    elif kind < 0.15:
        del container[key]
    elif kind < 0.25:
        container[key] = [value]
    elif kind < 0.35:
        container[key] = {"a": value}
    elif kind < 0.45:
        container[key] = "null" if value is None else str(value)
    elif kind < 0.5 and isinstance(container, list):
        container.append(value)
    else:
        container[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])


def other_array(array, rng):
    """An array of another type or shape, or with numbers that are impossible."""
    kinds = ("U", "S", complex, bool, np.uint8, np.int8, np.float16, np.float64)
    kind = rng.integers(8)
    if kind == 0:
        with np.errstate(all="ignore"):
            try:
                return np.real(array).astype(kinds[rng.integers(len(kinds))])
            except (TypeError, ValueError):
                return np.array("a")
    changed = {
        1: lambda: array[..., None] if rng.random() < 0.5 else array[None],
        2: array.ravel,
        3: lambda: array.T,
        4: lambda: array[: rng.integers(3)] if array.ndim else array,
        5: lambda: np.zeros((0,) * rng.integers(4), array.dtype),
        6: lambda: array[..., : rng.integers(4)] if array.ndim else array,
    }
    if kind in changed:
        return changed[kind]()
    array = array.astype(np.float64) if array.dtype.kind in "biuf" else array.copy()
    if array.size:
        value = (np.nan, np.inf, -1e300, 1e7, -5)[rng.integers(5)]
        array.ravel()[rng.integers(array.size)] = value
        if rng.random() < 0.3 and array.dtype.kind == "f":
            array[...] = value
    return array


def mutant_text(text, rng):
    """A text with one to three lines or words that are others, missing or twice."""
    lines = text.split("\n")
    for _ in range(rng.integers(1, 4)):
        number, kind = rng.integers(len(lines)), rng.random()
        if kind < 0.15 and len(lines) > 1:
            del lines[number]
        elif kind < 0.3:
            lines.insert(number, lines[rng.integers(len(lines))])
        else:
            words = lines[number].split(" ")
            words[rng.integers(len(words))] = TOKENS[rng.integers(len(TOKENS))]
            lines[number] = " ".join(words)
    return "\n".join(lines)
