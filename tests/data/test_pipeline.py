"""Shards -> batches: shares, order, seeds, labels, and what a broken record says."""

import itertools
import json
import time

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.data import augment, pipeline, record
from hmr_tf.data.pipeline import Augmentation
from hmr_tf.data.record_stream import StreamSlice, batch_file_names
from hmr_tf.data.shards import Split
from hmr_tf.files.errors import InputError
from tests.fakes.augmented import crop_with_labels
from tests.fakes.image_records import image_record, write

NO_JITTER = Augmentation(trans_max=0, scale_min=1.0, scale_max=1.0)
IMAGE_SIZE = 224
JITTER = Augmentation(trans_max=5, scale_min=0.8, scale_max=1.2)


def person(grey, with_3d, **changes):
    """A record that is known again by the grey of its image; `changes` replace what it holds."""
    image = np.full((40, 30, 3), grey, "uint8")
    three = {"lsp_joints": np.ones((14, 3)), "pose": np.zeros((24, 3)), "betas": np.full(10, grey)}
    values = {"filename": f"{grey}.jpg", "has_face": False, **(three if with_3d else {})}
    plain = image_record(image, np.full((19, 2), 10.0), **values)
    return record.encode(plain._replace(**changes))


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """coco: greys 0..11, three files, 2D; h36m: greys 100..105, one file, 3D; mocap: 20 bodies."""
    folder = tmp_path_factory.mktemp("shards")
    coco = [
        write(folder / f"train_{n}.tfrecord", [person(4 * n + i, False) for i in range(4)])
        for n in range(3)
    ]
    h36m = [write(folder / "a.tfrecord", [person(grey, True) for grey in range(100, 106)])]
    poses = [record.encode_mocap(np.zeros(72), np.full(10, n)) for n in range(20)]
    return {"coco": coco, "h36m": h36m, "mocap": [write(folder / "CMU.tfrecord", poses)]}


def training(
    shards,
    names,
    mocap=False,
    batch_size=4,
    augmentation=NO_JITTER,
    use_3d=False,
    seed=0,
    part=None,
):
    return pipeline.training_dataset(
        {name: shards[name] for name in names},
        {"CMU": shards["mocap"]} if mocap else None,
        batch_size=batch_size,
        num_stage=3,
        image_size=IMAGE_SIZE,
        augmentation=augmentation,
        use_3d=use_3d,
        seed=seed,
        part=part,
    )


def greys(batch):
    return np.rint((batch["image"].numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int)


def take(dataset, number):
    return list(itertools.islice(dataset, number))


def test_pipeline_batch_has_the_stated_shapes(shards):
    batch, mocap = training(shards, ["coco", "h36m"], mocap=True, use_3d=True).element_spec
    expected = {
        "image": (4, IMAGE_SIZE, IMAGE_SIZE, 3),
        "keypoints2d_norm": (4, 19, 3),
        "lsp_joints": (4, 14, 3),
        "rotations": (4, 24, 3, 3),
        "betas": (4, 10),
        "has_joints": (4,),
        "has_smpl": (4,),
    }
    assert {name: tuple(spec.shape) for name, spec in batch.items()} == expected
    assert {name: tuple(spec.shape) for name, spec in mocap.items()} == {
        "rotations": (12, 23, 3, 3),
        "betas": (12, 10),
    }


def test_pipeline_gives_every_person_once_per_pass_in_a_new_order(shards):
    batches = take(training(shards, ["coco"]), 6)
    passes = [np.concatenate([greys(batch) for batch, _ in batches[i : i + 3]]) for i in (0, 3)]
    for one_pass in passes:
        assert sorted(one_pass) == list(range(12))
    assert list(passes[0]) != list(passes[1])
    assert list(passes[0]) != sorted(passes[0])


def test_pipeline_half_of_a_batch_has_3d_labels(shards):
    for batch, _ in take(training(shards, ["coco", "h36m"], use_3d=True), 4):
        np.testing.assert_array_equal(greys(batch) >= 100, batch["has_joints"])
        assert batch["has_joints"].numpy().sum() == batch["has_smpl"].numpy().sum() == 2
        assert batch["has_joints"].numpy()[:2].sum() == 1  # half of every part, too


EVERYTHING = {"mocap": True, "augmentation": JITTER, "use_3d": True}


def arrays(elements):
    return [np.array(x) for x in tf.nest.flatten(elements)]


@pytest.mark.parametrize("first", [1, 3, 7])
def test_pipeline_starts_anywhere_in_the_stream(shards, first):
    """What comes then is what would have come: people, jitter, bodies; 7 is in another pass."""
    names = ["coco", "h36m"]
    whole = take(training(shards, names, **EVERYTHING), first + 2)[first:]
    begun = take(training(shards, names, **EVERYTHING, part=StreamSlice(first)), 2)
    for theirs, ours in zip(arrays(whole), arrays(begun)):
        np.testing.assert_array_equal(ours, theirs)


def test_pipeline_order_ignores_the_global_seed(shards):
    """A process that resumes has drawn other numbers before."""
    runs = []
    for seed in (0, 1, None):
        tf.random.set_seed(seed)
        runs.append(arrays(take(training(shards, ["coco"], mocap=True), 2)))
    for other in runs[1:]:
        for a, b in zip(runs[0], other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("num_workers", "num_replicas"), [(2, 1), (1, 2), (2, 2)])
def test_pipeline_replicas_share_the_rows_of_the_batch(shards, num_workers, num_replicas):
    check_rows(shards, num_workers, num_replicas, JITTER)


@pytest.mark.usefixtures("tensorflow_addons")
def test_pipeline_replicas_share_the_colours_and_squares_of_the_batch(shards):
    check_rows(shards, 2, 2, JITTER._replace(color=True, occlusion=True))


def check_rows(shards, num_workers, num_replicas, augmentation):
    """Together the replicas have the batches of one, from the second on."""
    names, options = ["coco", "h36m"], {**EVERYTHING, "batch_size": 8, "augmentation": augmentation}
    whole = take(training(shards, names, **options), 3)[1:]
    parts = [
        take(
            training(
                shards, names, **options, part=StreamSlice(1, worker, num_workers, num_replicas)
            ),
            4,
        )
        for worker in range(num_workers)
    ]
    for number, theirs in enumerate(whole):
        ours = [
            element
            for part in parts
            for element in part[number * num_replicas : (number + 1) * num_replicas]
        ]
        for a, *b in zip(arrays(theirs), *map(arrays, ours)):
            np.testing.assert_array_equal(np.concatenate(b), a)


def test_pipeline_refuses_a_batch_that_cannot_be_shared(shards):
    with pytest.raises(InputError, match="--batch_size=4 cannot be shared by 3 replicas"):
        training(shards, ["coco"], part=StreamSlice(num_workers=3))


def test_pipeline_measures_waiting():
    slow = tf.data.Dataset.range(3).map(
        lambda x: (x, tf.py_function(lambda: time.sleep(0.05), [], []))[:1]
    )
    for (_, seconds), least in zip(pipeline.with_wait_seconds(slow), (0.05, 0.05, 0.05)):
        assert least <= float(seconds) < 1.0
    ready = tf.data.Dataset.from_tensors((1,)).repeat()
    (_, seconds), *_ = take(pipeline.with_wait_seconds(ready), 1)
    assert float(seconds) < 0.05


def test_pipeline_names_the_people_of_a_batch(shards, tmp_path):
    names = ["coco", "h36m"]
    files = {name: shards[name] for name in names}
    batch = take(training(shards, names, use_3d=True), 3)[2][0]
    told, broken = batch_file_names(files, batch_size=4, use_3d=True, seed=0, number=2)
    assert told == [f"{grey}.jpg" for grey in greys(batch)]
    assert broken == []
    nan = np.full((19, 2), np.nan)
    path = write(
        tmp_path / "train_0.tfrecord", [person(5, False), person(6, False, keypoints_px=nan)]
    )
    _, broken = batch_file_names({"coco": [path]}, batch_size=2, use_3d=False, seed=0, number=0)
    assert broken == ["6.jpg"]


def test_pipeline_one_kind_fills_the_batch(shards):
    (batch, _), *_ = take(training(shards, ["h36m"], use_3d=True, batch_size=3), 1)
    assert batch["has_joints"].numpy().all()


def test_pipeline_without_3d_switches_labels_off_and_samples_by_size(shards):
    batches = [batch for batch, _ in take(training(shards, ["coco", "h36m"], batch_size=6), 3)]
    all_greys = np.concatenate([greys(batch) for batch in batches])
    assert sorted(all_greys) == [*range(12), *range(100, 106)]
    assert not any(
        batch[name].numpy().any() for batch in batches for name in ("has_joints", "has_smpl")
    )


def test_pipeline_is_determined_by_its_seed(shards):
    def run(seed):
        dataset = training(shards, ["coco"], mocap=True, augmentation=JITTER, seed=seed)
        return tf.nest.flatten([tf.nest.map_structure(np.array, e) for e in take(dataset, 4)])

    first, again, other = run(1), run(1), run(2)
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(first, other))


def test_pipeline_jitter_differs_between_people_and_passes(shards):
    batches = take(training(shards, ["coco"], augmentation=JITTER, batch_size=12), 2)
    points = np.concatenate([batch["keypoints2d_norm"].numpy()[:, 0, 0] for batch, _ in batches])
    assert len(np.unique(points)) > 15


def test_pipeline_mocap_is_shuffled_without_global_rotation(shards):
    (_, mocap), *_ = take(training(shards, ["coco"], mocap=True), 1)
    betas = mocap["betas"].numpy()[:, 0]
    assert len(set(betas)) == 12
    assert list(betas) != sorted(betas)
    np.testing.assert_allclose(
        mocap["rotations"], np.broadcast_to(np.eye(3), (12, 23, 3, 3)), atol=1e-6
    )


def test_pipeline_without_the_prior_has_no_mocap(shards):
    assert all(mocap == {} for _, mocap in take(training(shards, ["coco"]), 2))


def test_pipeline_validation_reads_all_in_order_and_keeps_labels(shards):
    files = {name: shards[name] for name in ("coco", "h36m")}
    dataset = pipeline.validation_dataset(files, batch_size=5, image_size=IMAGE_SIZE)
    batches = [batch for (batch,) in dataset]
    all_greys = [grey for batch in batches for grey in greys(batch)]
    assert all_greys == [*range(12), *range(100, 106)]
    assert len(dataset) == 4
    assert [len(batch["image"]) for batch in batches] == [5, 5, 5, 3]
    assert np.concatenate([batch["has_smpl"] for batch in batches]).sum() == 6


@pytest.fixture
def varied(tmp_path, rng):
    """A shard of three people, each with other pixels and keypoints."""

    def draw():
        noise = rng.integers(0, 256, (40, 30, 3)).astype("uint8")
        keypoints = rng.uniform(-10, 50, (19, 2))
        jpeg = tf.io.encode_jpeg(noise).numpy()
        return person(0, True, jpeg=jpeg, keypoints_px=keypoints, has_face=True)

    return write(tmp_path / "varied.tfrecord", [draw() for _ in range(3)])


def read_validation(path, image_size):
    ((batch,),) = pipeline.validation_dataset({"coco": [path]}, batch_size=3, image_size=image_size)
    return batch


def test_pipeline_validation_crops_without_jitter(varied):
    batch = read_validation(varied, IMAGE_SIZE)
    for row, serialized in enumerate(tf.data.TFRecordDataset(str(varied))):
        plain = crop_with_labels(record.decode(serialized), *augment.no_jitter(), IMAGE_SIZE)
        for name, value in plain.items():
            np.testing.assert_allclose(batch[name][row], value, atol=1e-6, err_msg=name)


def test_pipeline_smaller_network_sees_the_same_part(varied):
    """So that --img_size changes the sharpness and not the person."""
    large, small = (read_validation(varied, size)["keypoints2d_norm"] for size in (224, 56))
    assert np.ptp(large.numpy(), axis=(0, 1))[:2].min() > 0.3
    np.testing.assert_allclose(large, small, atol=2.5 / 56)


@pytest.mark.usefixtures("tensorflow_addons")
@pytest.mark.parametrize("flag", ["color", "occlusion"])
def test_pipeline_optional_augmentations_change_the_image_alone(shards, flag):
    plain, changed = (
        take(training(shards, ["h36m"], augmentation=NO_JITTER._replace(**{flag: on})), 1)[0][0]
        for on in (False, True)
    )
    assert np.abs(plain.pop("image") - changed.pop("image")).max() > 0.05
    for name, value in plain.items():
        np.testing.assert_array_equal(value, changed[name])


def test_pipeline_refuses_3d_without_a_3d_dataset(shards):
    with pytest.raises(InputError, match=r"--datasets=coco.*h36m.*--nouse_3d_label"):
        training(shards, ["coco"], use_3d=True)


def test_pipeline_refuses_a_3d_dataset_whose_records_hold_none(shards):
    """As the original's first upload of Human3.6M: the name promises what the records lack."""
    with pytest.raises(InputError, match=r"no records with 3D labels in --datasets=h36m"):
        training({"h36m": shards["coco"]}, ["h36m"], use_3d=True)
    training({"mine": shards["h36m"]}, ["mine"], use_3d=True)


def test_pipeline_refuses_an_odd_batch(shards):
    with pytest.raises(InputError, match="--batch_size=5 is odd"):
        training(shards, ["coco", "h36m"], use_3d=True, batch_size=5)


def test_pipeline_refuses_empty_shards(shards, tmp_path):
    empty = write(tmp_path / "train_0.tfrecord", [])
    with pytest.raises(InputError, match="no records"):
        training({"coco": [empty]}, ["coco"])
    with pytest.raises(InputError, match=r"no records.*--encoder_only"):
        training({"coco": shards["coco"], "mocap": [empty]}, ["coco"], mocap=True)


def person_with_image(change):
    """A record whose image is what `change` makes of its JPEG."""
    good = tf.train.Example.FromString(person(7, False))
    jpeg = good.features.feature["image/encoded"].bytes_list
    jpeg.value[0] = change(jpeg.value[0])
    return good.SerializeToString()


def cut_jpeg():
    return person_with_image(lambda jpeg: jpeg[: len(jpeg) // 2])


def png_instead():
    return person_with_image(lambda jpeg: tf.io.encode_png(tf.io.decode_jpeg(jpeg)).numpy())


@pytest.mark.parametrize("fault", ["checksum", "cut", "jpeg", "png", "schema"])
def test_pipeline_error_names_file_and_record(shards, tmp_path, fault):
    images = {"jpeg": cut_jpeg(), "png": png_instead()}
    bad = {**images, "schema": b"no Example"}.get(fault, person(2, False))
    path = write(tmp_path / "train_7.tfrecord", [person(1, False), bad, person(3, False)])
    content = bytearray(path.read_bytes())
    if fault == "checksum":
        content[len(content) // 2] ^= 1
    if fault == "cut":
        content = content[: len(content) // 2]
    path.write_bytes(content)
    # With an index the records are not counted, so it is the reading that meets the fault.
    index = {"shards": [{"file": path.name, "records": 3}]}
    (tmp_path / "train_index.json").write_text(json.dumps(index))
    files = {"coco": [*shards["coco"], path]}
    with pytest.raises(tf.errors.OpError) as caught:
        for _ in pipeline.validation_dataset(files, batch_size=4, image_size=IMAGE_SIZE):
            pass
    problem = pipeline.explain_data_error(caught.value, files, {"CMU": shards["mocap"]})
    assert isinstance(problem, InputError)
    assert f"{path}: record 2 is corrupt" in str(problem)
    assert "\n" not in str(problem)
    if fault in images:
        assert "JPEG" in str(problem)


def test_pipeline_error_in_fit_names_file_and_record(shards, tmp_path):
    path = write(tmp_path / "train_0.tfrecord", [person(1, False), cut_jpeg()])
    model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(1)])
    model.compile(loss="mse")
    files = {"coco": [path]}
    data = pipeline.validation_dataset(files, batch_size=1, image_size=8)
    data = data.map(lambda batch: (batch["image"], tf.zeros([1])))
    with pytest.raises(tf.errors.OpError) as caught:
        model.fit(data, verbose=0)
    for read in (files, Split(files, {"coco": shards["coco"]})):
        assert "record 2" in str(pipeline.explain_data_error(caught.value, read))


@pytest.mark.parametrize(("stated", "held"), [(2, 3), (4, 3)])
def test_pipeline_error_names_a_wrong_index(stated, held, tmp_path):
    path = write(tmp_path / "train_0.tfrecord", [person(grey, False) for grey in range(held)])
    index = tmp_path / "train_index.json"
    index.write_text(json.dumps({"shards": [{"file": path.name, "records": stated}]}))
    files = {"coco": [path]}
    with pytest.raises(tf.errors.FailedPreconditionError) as caught:
        for _ in pipeline.validation_dataset(files, batch_size=1, image_size=8):
            pass
    for read in (files, Split({}, files)):
        problem = pipeline.explain_data_error(caught.value, read)
        assert isinstance(problem, InputError)
        assert str(problem) == (
            f"{index} states {stated} records, the shards hold {held}: convert again"
        )


def test_pipeline_leaves_other_errors_alone(shards):
    files = {"coco": shards["coco"]}
    assert pipeline.explain_data_error(ValueError("no"), files) is None
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.constant([1.0]) @ tf.constant([2.0])
    assert pipeline.explain_data_error(caught.value, files) is None


def test_pipeline_views_change_pixels_and_labels_only_if_asked(shards):
    jittered = take(training(shards, ["coco"], augmentation=JITTER), 1)[0][0]
    unchanged = JITTER._replace(truncation=0.0, rotation=0.0)
    same = take(training(shards, ["coco"], augmentation=unchanged), 1)[0][0]
    for name, value in jittered.items():
        np.testing.assert_array_equal(same[name], value)
    rotated = take(training(shards, ["coco"], augmentation=JITTER._replace(rotation=30.0)), 1)[0][0]
    assert not np.array_equal(rotated["keypoints2d_norm"], jittered["keypoints2d_norm"])
    assert not np.array_equal(rotated["rotations"], jittered["rotations"])
    np.testing.assert_array_equal(greys(rotated), greys(jittered))
