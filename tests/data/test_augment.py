"""The training crop: the original's pixels and labels, for any translation, scale and flip."""

import json

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import rotation, skeleton
from hmr_tf.data import augment
from tests.fakes.augmented import crop_with_labels
from tests.golden import compare

# How the samples' expected values were made: translation x, translation y, scale, flip.
FORCED = {
    "plain": (0, 0, 1.0, False),
    "flip": (0, 0, 1.0, True),
    "jit": (7, -13, 0.9, False),
    "jitflip": (-11, 5, 1.2, True),
}


def sample_of(image, centre=(0, 0), **labels):
    blank = {
        "image": np.asarray(image),
        "keypoints_px": np.zeros((19, 3), "float32"),
        "center_px": np.float32(centre),
        "lsp_joints": np.zeros((14, 3), "float32"),
        "pose": np.zeros((24, 3), "float32"),
        "betas": np.zeros(10, "float32"),
        "has_joints": False,
        "has_smpl": False,
        "filename": "x.jpg",
    }
    return {name: tf.constant(labels.get(name, value)) for name, value in blank.items()}


def random_sample(rng, height=40, width=30, centre=(15, 20)):
    return sample_of(
        rng.integers(0, 256, (height, width, 3)).astype("uint8"),
        centre,
        keypoints_px=np.concatenate(
            [rng.uniform(-10, 50, (19, 2)), rng.integers(0, 2, (19, 1))], axis=1
        ).astype("float32"),
        joints=rng.normal(size=(14, 3)).astype("float32"),
        pose=rng.normal(size=(24, 3)).astype("float32"),
        betas=rng.normal(size=10).astype("float32"),
        has_joints=True,
        has_smpl=True,
    )


def crop(sample, translation=(0, 0), scale=1.0, flip=False, image_size=16):
    example = crop_with_labels(
        sample,
        tf.constant(translation, tf.float32),
        tf.constant(scale),
        tf.constant(flip),
        image_size,
    )
    return {name: value.numpy() for name, value in example.items()}


def resized_padded_sliced(image, centre, translation, scale, flip, image_size):
    """The original pipeline, slow and plain: the whole image, then its border, then the slice."""
    size = np.array(image.shape[:2])
    new_height, new_width = (size.astype("float32") * np.float32(scale)).astype(int)
    resized = np.zeros((new_height, new_width, 3))
    for y in range(new_height):
        for x in range(new_width):
            source = np.array([y, x]) * size / (new_height, new_width)
            low = source.astype(int)
            high = np.minimum(low + 1, size - 1)
            v, u = source - low
            resized[y, x] = (1 - v) * (1 - u) * image[low[0], low[1]]
            resized[y, x] += (1 - v) * u * image[low[0], high[1]]
            resized[y, x] += v * (1 - u) * image[high[0], low[1]]
            resized[y, x] += v * u * image[high[0], high[1]]
    factor_xy = np.array([new_width, new_height]) / size[::-1]
    left, top = ((np.array(centre) + translation) * factor_xy).astype(int) - image_size // 2
    margin = 100
    padded = np.pad(resized, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    window = padded[top + margin :, left + margin :][:image_size, :image_size]
    return (window[:, ::-1] if flip else window) / 127.5 - 1


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("size", "centre", "translation", "scale", "image_size"),
    [
        ((40, 30), (15, 20), (0, 0), 1.0, 16),
        ((40, 30), (14, 21), (3, -2), 0.83, 16),
        ((40, 30), (17, 11), (-4, 5), 1.23, 17),
        ((9, 13), (6, 4), (0, 0), 1.1, 32),  # smaller than the crop
        ((40, 30), (1, 39), (-3, 2), 0.9, 16),  # beside the image
        ((40, 30), (80, -30), (0, 0), 1.2, 16),  # far outside: nothing but the border's colour
        ((1, 1), (0, 0), (0, 0), 1.0, 8),
    ],
)
def test_augment_pixels_are_those_of_resize_pad_slice(
    rng, size, centre, translation, scale, image_size, flip
):
    image = rng.integers(0, 256, (*size, 3)).astype("uint8")
    got = crop(sample_of(image, centre), translation, scale, flip, image_size)["image"]
    slow = resized_padded_sliced(image, centre, translation, scale, flip, image_size)
    np.testing.assert_allclose(got, slow, atol=2e-4)
    assert np.abs(got).max() <= 1


def test_augment_maps_black_and_white_to_minus_one_and_one():
    image = np.zeros((8, 8, 3), "uint8")
    image[:, 4:] = 255
    got = crop(sample_of(image, (4, 4)), image_size=8)["image"]
    np.testing.assert_array_equal(got[:, :4], -1)
    np.testing.assert_array_equal(got[:, 4:], 1)


def test_augment_scales_to_one_pixel_at_least():
    image = np.full((3, 3, 3), 255, "uint8")
    np.testing.assert_array_equal(crop(sample_of(image), scale=0.1, image_size=4)["image"], 1)


def test_augment_keypoints_follow_the_pixels():
    """A bright pixel and the label on it end at the same place of the crop."""
    image = np.zeros((41, 31, 3), "uint8")
    image[24, 18] = 255
    keypoints = np.zeros((19, 3), "float32")
    keypoints[0] = 18, 24, 1
    sample = sample_of(image, (16, 20), keypoints_px=keypoints)
    for translation, scale, flip in (
        ((0, 0), 1.0, False),
        ((2, -3), 2.0, False),
        ((2, 3), 2.0, True),
    ):
        example = crop(sample, translation, scale, flip, image_size=32)
        label = "left_ankle" if flip else "right_ankle"
        index = skeleton.KEYPOINTS.index(label)
        x, y = (example["keypoints2d_norm"][index, :2] + 1) * 16
        assert example["keypoints2d_norm"][index, 2] == 1
        row, column = np.unravel_index(example["image"][..., 0].argmax(), (32, 32))
        assert (row, column) == pytest.approx((y, x), abs=1e-4)


def test_augment_unlabelled_points_are_zero_and_labelled_may_lie_outside():
    keypoints = np.zeros((19, 3), "float32")
    keypoints[0] = 500, -500, 1
    keypoints[1] = 8, 8, 0
    norm = crop(sample_of(np.zeros((9, 9, 3), "uint8"), (4, 4), keypoints_px=keypoints))
    norm = norm["keypoints2d_norm"]
    np.testing.assert_allclose(norm[0], [(500 + 4) / 8 - 1, (-500 + 4) / 8 - 1, 1])
    np.testing.assert_array_equal(norm[1:], 0)


def test_augment_flip_swaps_left_and_right(rng):
    sample = random_sample(rng)
    plain, flipped = crop(sample), crop(sample, flip=True)
    np.testing.assert_array_equal(flipped["image"], plain["image"][:, ::-1])
    left, right = (skeleton.KEYPOINTS.index(f"{side}_eye") for side in ("left", "right"))
    assert flipped["keypoints2d_norm"][left, 2] == plain["keypoints2d_norm"][right, 2]
    left, right = (skeleton.LSP_JOINTS.index(f"{side}_wrist") for side in ("left", "right"))
    translation = plain["lsp_joints"].mean(0) * [-1, 1, 1]
    np.testing.assert_allclose(
        flipped["lsp_joints"][left] + translation,
        plain["lsp_joints"][right] * [-1, 1, 1],
        atol=1e-6,
    )
    np.testing.assert_array_equal(flipped["betas"], plain["betas"])


def test_augment_mirrored_twice_is_the_same(rng):
    points = tf.constant(rng.uniform(0, 224, (19, 3)).astype("float32"))
    twice = augment.mirror_keypoints(augment.mirror_keypoints(points, 224), 224)
    np.testing.assert_allclose(twice, points, atol=1e-4)
    joints = tf.constant(rng.normal(size=(14, 3)).astype("float32"))
    twice = augment.mirror_joints(augment.mirror_joints(joints))
    np.testing.assert_allclose(twice, joints - tf.reduce_mean(joints, 0), atol=1e-6)


def test_augment_jitter_stays_in_its_ranges_and_follows_its_seed():
    draw = augment.jitter([7, 5], 300, 3, 0.8, 1.2)
    assert set(draw.translation_px.numpy().ravel()) == {-3, -2, -1, 0, 1, 2}  # no upper end
    scale = draw.scale.numpy()
    assert 0.8 <= scale.min() < 0.82
    assert 1.18 < scale.max() < 1.2
    assert 0.4 < draw.flip.numpy().mean() < 0.6
    for again, equal in ((augment.jitter([7, 5], 300, 3, 0.8, 1.2), True),
                         (augment.jitter([7, 6], 300, 3, 0.8, 1.2), False)):  # fmt: skip
        assert np.array_equal(again.scale, draw.scale) == equal


def test_augment_without_jitter():
    draw = augment.jitter([7, 5], 4, 0, 1.0, 1.0)
    np.testing.assert_array_equal(draw.translation_px, 0)
    np.testing.assert_array_equal(draw.scale, 1)


def test_augment_labels_of_a_batch_are_those_of_its_samples(rng):
    samples = [random_sample(rng) for _ in range(4)]
    draws = augment.jitter([0, 3], 4, 5, 0.8, 1.2)
    assert 0 < draws.flip.numpy().sum() < 4
    single, placements = [], []
    for i, sample in enumerate(samples):
        draw = [value[i] for value in draws]
        single.append(crop_with_labels(sample, *draw, 16))
        placements.append(augment.crop_image(sample, *draw, 16)[1])
    batch = {name: tf.stack([sample[name] for sample in samples]) for name in samples[0]}
    placement = augment.Placement(*[tf.stack(values) for values in zip(*placements)])
    for name, value in augment.move_labels(batch, placement, 16).items():
        np.testing.assert_allclose(value, [example[name] for example in single], atol=1e-6)


def test_augment_is_the_same_eagerly_and_in_tf_data(rng):
    sample = random_sample(rng)
    draws = augment.jitter([0, 1], 4, 5, 0.8, 1.2)

    def example(draw):
        return crop_with_labels(sample, *draw, 16)

    dataset = tf.data.Dataset.from_tensor_slices(draws).map(example)
    for i, inside in enumerate(dataset):
        for name, value in example([values[i] for values in draws]).items():
            np.testing.assert_allclose(inside[name], value, atol=1e-5, err_msg=name)


# Against the original's numbers


@pytest.fixture(scope="module")
def flips():
    return compare.load("flips")


def test_augment_flips_are_the_originals(flips):
    mirrored = augment.mirror_keypoints(flips["kp"].T, 12)
    np.testing.assert_allclose(mirrored, flips["kp_flipped"].T, atol=1e-6)
    for golden in ("joints3d_flipped", "reflect_joints3d"):
        np.testing.assert_allclose(
            augment.mirror_joints(flips["joints3d"]), flips[golden], atol=1e-6
        )
    sample = sample_of(flips["image"] * 255, (6, 6), pose=flips["pose"].reshape(24, 3))
    example = crop(sample, flip=True, image_size=12)
    np.testing.assert_allclose((example["image"] + 1) / 2, flips["image_flipped"], atol=1e-6)
    mirrored_pose = flips["reflect_pose"].reshape(24, 3)
    expected = rotation.matrix_from_axis_angle(mirrored_pose)
    np.testing.assert_allclose(example["rotations"], expected, atol=2e-6)


def test_augment_range_and_border_are_the_originals(flips):
    sample = sample_of(flips["image"] * 255, (6, 6))
    plain, wide = (crop(sample, image_size=size)["image"] for size in (12, 18))
    np.testing.assert_allclose(plain, flips["image_rescaled"], atol=1e-6)
    np.testing.assert_allclose((wide + 1) / 2, flips["pad_edge_3"], atol=1e-6)


def expected_samples(shared, dataset):
    """(the original's values, sample) of each person; a blank image where only labels are known."""
    expected = json.loads((shared / "data_samples" / "expected" / f"{dataset}.json").read_text())
    for i, name in enumerate(expected["filename"]):
        row = {key: value[i] for key, value in expected.items() if key.startswith("loader_")}
        keypoints = np.zeros((19, 3), "float32")
        columns = (expected["x"][i], expected["y"][i], expected["visibility"][i])
        keypoints[:14] = np.transpose(columns)
        if "face_pts" in expected:
            keypoints[14:] = np.reshape(expected["face_pts"][i], (3, 5)).T
        keypoints[:, 2] = keypoints[:, 2] > 0
        image = np.zeros(expected["jpeg_shape"][i], "uint8")
        path = shared / "data_samples" / dataset / "images" / name
        if dataset in ("lsp", "lsp_ext"):  # whose JPEGs are stored untouched
            image = tf.io.decode_jpeg(path.read_bytes()).numpy()
        labels = {"keypoints_px": keypoints}
        if "mosh_gt3d" in expected:
            labels["lsp_joints"] = np.float32(expected["mosh_gt3d"][i]).reshape(14, 3)
            labels["pose"] = np.float32(expected["mosh_pose"][i]).reshape(24, 3)
            labels["betas"] = np.float32(expected["mosh_shape"][i])
        yield row, sample_of(image, expected["center"][i], **labels)


@pytest.mark.parametrize("forced", FORCED)
@pytest.mark.parametrize("dataset", ["lsp", "lsp_ext", "mpii", "coco", "mpi_inf_3dhp_train"])
def test_augment_labels_are_the_originals(shared, dataset, forced):
    for row, sample in expected_samples(shared, dataset):
        example = crop(sample, FORCED[forced][:2], *FORCED[forced][2:], image_size=224)
        np.testing.assert_allclose(
            example["keypoints2d_norm"], row[f"loader_{forced}_label"], atol=1.2e-5
        )


@pytest.mark.parametrize("forced", FORCED)
@pytest.mark.parametrize("dataset", ["mpi_inf_3dhp_train", "h36m_ref"])
def test_augment_3d_labels_are_the_originals(shared, dataset, forced):
    for row, sample in expected_samples(shared, dataset):
        example = crop(sample, FORCED[forced][:2], *FORCED[forced][2:], image_size=224)
        got = [example[name].ravel() for name in ("rotations", "betas", "lsp_joints")]
        expected = row[f"loader_{forced}_label3d"]
        np.testing.assert_allclose(np.concatenate(got), expected, atol=1.2e-5)


@pytest.mark.parametrize("forced", FORCED)
@pytest.mark.parametrize("dataset", ["lsp", "lsp_ext"])
def test_augment_pixels_are_the_originals(shared, dataset, forced):
    for row, sample in expected_samples(shared, dataset):
        example = crop(sample, FORCED[forced][:2], *FORCED[forced][2:], image_size=224)
        mean = example["image"].mean((0, 1))
        thumb = example["image"].reshape(8, 28, 8, 28, 3).mean((1, 3))
        np.testing.assert_allclose(mean, row[f"loader_{forced}_mean"], atol=1e-5)
        np.testing.assert_allclose(thumb, row[f"loader_{forced}_thumb"], atol=1e-3)
