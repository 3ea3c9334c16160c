"""Apache Beam does the same tasks: the same bytes; lost people are an error."""

import pickle
import sys

import pytest

from data_prep.writing import beam, convert_split, publish
from hmr_tf.files.errors import InputError
from tests.fakes.conversions import contents, job


def with_beam():
    try:
        import apache_beam  # noqa: F401
    except ImportError:
        pytest.skip("Apache Beam is not installed: data_prep/requirements-beam.txt is optional")


def workers(**more):
    return convert_split.Workers(2, "DirectRunner", **more)


@pytest.mark.filterwarnings("ignore")
def test_beam_writes_the_same_bytes(people, tmp_path):
    with_beam()
    convert_split.convert(job(tmp_path / "one"), people)
    convert_split.convert(job(tmp_path / "beam"), people, workers())
    assert contents(tmp_path / "one") == contents(tmp_path / "beam")


@pytest.mark.filterwarnings("ignore")
def test_beam_full_disk_is_named(people, tmp_path):
    with_beam()
    task = [("test_000.tfrecord", b"N.")]  # a pickled None
    with pytest.raises(InputError, match="cannot write to /proc/nothing"):
        beam.run(fails, task, tmp_path, "DirectRunner", "", 1)
    assert [path.suffix for path in tmp_path.iterdir() if path.is_file()] == [".fault"]


def fails(task):
    publish.write_json("/proc/nothing/x", task)


def test_beam_missing_package_is_named(people, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"pip install -r data_prep/requirements-beam\.txt"):
        convert_split.convert(job(tmp_path / "out"), people, workers())
    assert not (tmp_path / "out").exists()


def test_beam_lost_shard_is_an_error(people, tmp_path, monkeypatch):
    def loses(work, tasks, partial, *others):
        _, *rest = tasks
        for _, task in rest:
            work(pickle.loads(task))

    monkeypatch.setattr(beam, "run", loses)
    with pytest.raises(InputError, match=r"test_000\.tfrecord and perhaps other shards are"):
        convert_split.convert(job(tmp_path / "out"), people, workers())


def test_beam_lost_people_are_an_error(people, tmp_path, monkeypatch):
    def loses(work, tasks, partial, *others):
        for _, task in tasks:
            shard = pickle.loads(task)
            work(shard._replace(groups=shard.groups[1:]))

    monkeypatch.setattr(beam, "run", loses)
    with pytest.raises(InputError, match="2 people were to be converted, 0 were"):
        convert_split.convert(job(tmp_path / "out"), people, workers())
