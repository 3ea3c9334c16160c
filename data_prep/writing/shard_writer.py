"""Writes one shard: encodes its people one after the other. Nothing else opens a shard file."""

import itertools

import tensorflow as tf

from data_prep.writing import conversion, publish
from data_prep.writing.tally import Tally


def write(partial, shard, tick=None):
    """Writes a shard and its note into the hidden folder; no file where nobody is left.

    Args:
      partial: Path, of `publish.unfinished_run`.
      shard: `shards.Shard`.
      tick: function that is told how many more people are done, if anybody asks.

    Returns:
      dict: file, records, and the counts of a Tally.

    Raises:
      InputError: it cannot be written.
    """
    tally = Tally()

    def records():
        for group in shard.groups:
            yield from tally.keep(conversion.encode(group))
            if tick:
                tick(len(group))

    count = write_file(partial / shard.file, records())
    counts = {"file": shard.file, "records": count, **tally.counts()}
    publish.commit_shard(partial, shard.file, counts)
    return counts


def write_file(path, records):
    """Writes serialized records into one file and returns how many; no file where there are none.

    Raises:
      InputError: it cannot be written.
    """
    records = iter(records)
    first = list(itertools.islice(records, 1))
    if not first:
        return 0
    errors, count = (path.parent, tf.errors.OpError), 0
    with publish.whole_file(path) as unfinished:
        with publish.writable(*errors):
            writer = tf.io.TFRecordWriter(str(unfinished))
        try:
            for record in itertools.chain(first, records):
                with publish.writable(*errors):
                    writer.write(record)
                count += 1
        finally:
            with publish.writable(*errors):
                writer.close()
    return count
