"""Random adults: which targets they take, how they differ."""

import numpy as np

from tools.cc0_body import random_adults


def test_cc0_body_extreme_person_takes_whole_targets():
    woman = random_adults.average()._replace(
        gender=np.zeros(1), muscle=np.ones(1), weight=np.zeros(1), race=np.eye(3)[1:2]
    )
    shares = {name: float(share[0]) for name, share in random_adults.target_weights(woman).items()}
    assert {name: share for name, share in shares.items() if share} == {
        "macrodetails/asian-female-young": 1.0,
        "macrodetails/universal-female-young-maxmuscle-minweight": 1.0,
        "breast/female-young-maxmuscle-minweight-averagecup-averagefirmness": 1.0,
    }


def test_cc0_body_sampled_people_differ_keep_within_the_sliders_and_come_again():
    traits = random_adults.sample(np.random.default_rng(1), 200)
    assert all(0 <= values.min() and values.max() <= 1 for values in traits)
    assert all(np.ptp(values, axis=0).min() > 0.3 for values in traits)
    for first, second in zip(traits, random_adults.sample(np.random.default_rng(1), 200)):
        np.testing.assert_array_equal(first, second)
    shares = random_adults.target_weights(traits)
    build_shares = [share for name, share in shares.items() if "universal" in name]
    np.testing.assert_allclose(np.sum(build_shares, axis=0), 1.0)


def test_cc0_body_membrane_flattens_spikes_and_keeps_a_plane():
    rows, columns = np.divmod(np.arange(10000), 100)
    plane = np.stack([columns, rows, 0.1 * rows + 0.3 * columns], 1).astype(float)
    corner = np.arange(9900)[np.arange(9900) % 100 < 99]
    quads = np.stack([corner, corner + 1, corner + 101, corner + 100], 1)
    meshes = np.stack([plane, plane])
    meshes[1, [1770, 8450], 2] += 5.0
    random_adults.remove_nipples(meshes, quads)
    np.testing.assert_allclose(meshes[0], plane, atol=1e-9)
    np.testing.assert_allclose(meshes[1], plane, atol=1e-9)
