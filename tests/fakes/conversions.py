"""Jobs of `data_prep.writing.convert_split`, and what they wrote."""

from data_prep.writing import convert_split
from data_prep.writing.shard_files import ShardNames
from tests.fakes.dataset_fakes import read_folder


def job(folder, **more):
    values = {
        "dataset": "fake",
        "split": "test",
        "data_dir": "",
        "folder": folder,
        "shard_names": ShardNames("test"),
        "records_per_shard": 2,
        "limit": None,
        "options": {},
        "annotation_digests": {},
        "is_streamed": False,
    }
    return convert_split.Job(**{**values, **more})


def records_of_shards(folder, pattern="*.tfrecord"):
    """{file name: number of records}"""
    return {name: len(records) for name, records in read_folder(folder, pattern).items()}


def contents(folder):
    """{file name: bytes} of the files that are not hidden in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
