"""Random adults from MakeHuman's macro targets: sex, age, muscle, weight, height, origin."""

import itertools
from typing import NamedTuple

import numpy as np

RACES = ("african", "asian", "caucasian")
# The vertices of the nipples, which are flattened.
_NIPPLES = tuple(range(1762, 1794)) + tuple(range(8434, 8466))


class Traits(NamedTuple):
    """MakeHuman's sliders, 0 to 1, for N people."""

    gender: np.ndarray  # (N,) 0 woman, 1 man
    age: np.ndarray  # (N,) 0.5 is 25 years, 1 is 90
    muscle: np.ndarray  # (N,)
    weight: np.ndarray  # (N,)
    height: np.ndarray  # (N,)
    proportions: np.ndarray  # (N,) 1 ideal
    cup: np.ndarray  # (N,) breasts
    firmness: np.ndarray  # (N,)
    race: np.ndarray  # (N, 3) shares of RACES, sum 1


def average(count=1):
    """`count` equal people of average traits, 25 years old, between woman and man -> Traits."""
    half = np.full(count, 0.5)
    return Traits(*[half] * 8, race=np.full([count, 3], 1 / 3))


def sample(rng, count):
    """Draws `count` different adults with numpy Generator `rng` -> Traits."""

    def bell(deviation, low=0.0, high=1.0):
        return np.clip(rng.normal(0.5, deviation, count), low, high)

    return Traits(
        gender=np.clip((rng.random(count) < 0.5) + rng.normal(0.0, 0.12, count), 0.0, 1.0),
        age=np.clip(0.5 + np.abs(rng.normal(0.0, 0.18, count)), 0.5, 0.95),
        muscle=rng.random(count),
        weight=rng.random(count),
        height=bell(0.07, 0.1, 0.9),
        proportions=bell(0.2),
        cup=bell(0.2),
        firmness=bell(0.2),
        race=rng.dirichlet([1.0, 1.0, 1.0], count),
    )


def target_weights(traits):
    """Traits of N people -> {target name: (N,) share of it}, in a fixed order.

    A slider blends linearly between extremes; a target of several sliders takes their product.
    """
    gender = {"female": 1 - traits.gender, "male": traits.gender}
    age = {"young": np.minimum(1, 2 - 2 * traits.age), "old": np.maximum(0, 2 * traits.age - 1)}
    race = dict(zip(RACES, traits.race.T))
    muscle = _slider(traits.muscle, "minmuscle", "averagemuscle", "maxmuscle")
    weight = _slider(traits.weight, "minweight", "averageweight", "maxweight")
    height = _slider(traits.height, "minheight", None, "maxheight")
    proportions = _slider(traits.proportions, "uncommonproportions", None, "idealproportions")
    cup = _slider(traits.cup, "mincup", "averagecup", "maxcup")
    firmness = _slider(traits.firmness, "minfirmness", "averagefirmness", "maxfirmness")
    woman = {"female": gender["female"]}
    return {
        **_product("macrodetails/", race, gender, age),
        **_product("macrodetails/universal-", gender, age, muscle, weight),
        **_product("macrodetails/height/", gender, age, muscle, weight, height),
        **_product("macrodetails/proportions/", gender, age, muscle, weight, proportions),
        **_product("breast/", woman, age, muscle, weight, cup, firmness),
    }


def morph(base, offsets, shares):
    """Base (V, 3), target offsets (K, V, 3), shares of N people (N, K) -> (N, V, 3), decimetres."""
    moved = shares @ offsets.reshape(len(offsets), -1)
    return base + moved.reshape(len(shares), *base.shape)


def remove_nipples(meshes, quads):
    """Flattens the nipples of (M, V, 3) meshes or offsets, in place.

    Each vertex there becomes the mean of its neighbours. That is linear, so it is applied once to
    the base person and the targets, not to every person.
    """
    edges = np.stack([quads, np.roll(quads, -1, axis=1)]).reshape(2, -1)
    edges = np.concatenate([edges, edges[::-1]], axis=1)
    inner = np.union1d(_NIPPLES, edges[1, np.isin(edges[0], _NIPPLES)])
    border = np.setdiff1d(edges[1, np.isin(edges[0], inner)], inner)
    adjacent = np.zeros([len(inner), meshes.shape[1]])
    from_inner = np.isin(edges[0], inner)
    adjacent[np.searchsorted(inner, edges[0, from_inner]), edges[1, from_inner]] = 1.0
    laplacian = np.diag(adjacent.sum(1)) - adjacent[:, inner]
    meshes[:, inner] = np.linalg.solve(laplacian, adjacent[:, border]) @ meshes[:, border]


def _slider(value, low, middle, high):
    """Linear blend of three targets; the middle one is None if it has no file."""
    shares = {low: np.maximum(0, 1 - 2 * value), high: np.maximum(0, 2 * value - 1)}
    return shares if middle is None else {**shares, middle: 1 - np.abs(2 * value - 1)}


def _product(folder, *sliders):
    """Every combination of one name per slider, joined by "-" -> product of their shares."""
    return {
        folder + "-".join(names): np.prod([s[name] for s, name in zip(sliders, names)], axis=0)
        for names in itertools.product(*sliders)
    }
