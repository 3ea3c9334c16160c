"""Tasks that wait for a worker, in a temporary file: however many there are, memory holds one."""

import pickle
import tempfile

from hmr_tf.files.errors import InputError


class Backlog:
    """Holds pickled tasks in their order. A context: the file goes with it."""

    def __init__(self):
        self._file = tempfile.TemporaryFile()
        self._sizes = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def __len__(self):
        return len(self._sizes)

    def append(self, task):
        """InputError where the disk is full."""
        pickled = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
        try:
            self._file.write(pickled)
        except OSError as error:
            raise InputError(
                f"cannot write to {tempfile.gettempdir()} ({error.strerror}); make room there or "
                "name another folder in the environment variable TMPDIR"
            ) from error
        self._sizes.append(len(pickled))

    def __iter__(self):
        """Yields the tasks as they were pickled."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)
