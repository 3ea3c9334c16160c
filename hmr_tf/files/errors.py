"""The one exception that a user, not a programmer, is meant to read."""


class InputError(Exception):
    """A file, flag or record from outside is unusable.

    The message is one line: what was wrong, what is allowed, what to do. Commands print it and exit
    with code 2.
    """
