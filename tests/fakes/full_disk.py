"""As if the disk were full, for one process."""

import contextlib
import resource


@contextlib.contextmanager
def room_for(num_bytes):
    """No file may be longer: the rest is refused with "File too large" in place of "no space"."""
    _, most = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
