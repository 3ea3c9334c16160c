"""The exception for errors of the user's input."""


class InputError(Exception):
    """A file, flag or record of the user is unusable.

    The message is one line: what was wrong, what is allowed, what to do. Commands print it and exit
    with code 2.
    """


def printable(text):
    """A message in one line; control characters of files, which could steer a terminal, are "?"."""
    line = " ".join(str(text).splitlines())
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def reason_of_file_error(message):
    """The reason alone of TensorFlow's message "PATH; No space left on device [Op:SaveV2]"."""
    return message.rpartition("; ")[2].partition(" [Op:")[0]
