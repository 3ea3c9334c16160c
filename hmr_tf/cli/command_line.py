"""Start and end of every command: flags, --help, one-line errors, exit codes.

Exit codes: 0 done, 1 done but for entries that are named, 2 wrong input, 130 stopped by Ctrl-C, 143
by SIGTERM, 1 with a traceback a bug of the program. Imports no TensorFlow, so that --help is fast.
"""

import contextlib
import errno
import gc
import os
import signal
import sys
import textwrap
import time

from absl import app, flags

from hmr_tf.cli import recipes
from hmr_tf.cli.checks import flag_errors
from hmr_tf.files.errors import InputError, printable
from hmr_tf.serving import suppress_output

_HELP = ("-h", "-?", *(dash + word for dash in ("-", "--") for word in ("help", "helpfull")))
_KINDS = {
    "int": "NUMBER",
    "float": "NUMBER",
    "string": "TEXT",
    "comma separated list of strings": "LIST",
}
_OUR_PACKAGES = ("hmr_tf", "data_prep", "tools")
# Of the process of a command; a program that imports hmr_tf decides for itself.
_ENVIRONMENT = {
    # TensorFlow reports on import which GPU libraries it lacks; later faults are raised.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # TensorFlow leaves its oneDNN kernels off on CPUs without AVX-512, where they are faster too.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # OpenCV refuses larger images before it takes memory for them (its limit is 2**30 pixels).
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(1 << 27),
    # Files that cannot be read are reported by this program, in one line.
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # AV_LOG_QUIET
}


def set_environment():
    """Sets what TensorFlow and OpenCV read when they are imported, unless the user has set it."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def run(main, flag_values=flags.FLAGS, argv=None, help_text=None):
    """Parses the flags, calls `main(argv)` and ends the process.

    Args:
      main: function of the arguments that are not flags; its result is the exit code.
      flag_values: the absl flags of this command.
      argv: program name and arguments; None: `sys.argv`.
      help_text: function of the arguments that gives the text of --help; None: the docstring of
        `main`'s module and all flags.

    Raises:
      SystemExit: always, except for a fault of the program, which keeps its traceback.
    """

    def parse(arguments):
        if any(argument in _HELP for argument in arguments[1:]):
            show = help_text or (lambda _: _help_text(main, flag_values))
            sys.stdout.write(show(arguments[1:]))
            sys.exit(0)
        rest = flag_values(recipes.resolve(arguments))
        flags.FLAGS.mark_as_parsed()  # absl's flags; app.run needs them
        return rest

    set_environment()
    if sys.flags.optimize > 1:
        _end("Python's option -OO (PYTHONOPTIMIZE=2) removes texts that TensorFlow needs: use -O.")
    try:
        with _sigterm_as_exception():
            app.run(main, argv=argv, flags_parser=parse)
    except InputError as error:
        _end(error)
    except flags.Error as error:
        _end(flag_errors.explain(error, flag_values))
    except OSError as error:
        if _is_current_folder_deleted():
            _end("the current folder was deleted: cd to another one.")
        if error.errno != errno.ENAMETOOLONG:
            raise
        _end(f"{error.filename} cannot be used: {error.strerror}.")
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    finally:
        gc.freeze()  # Python would look through TensorFlow's million objects before it ends


def _is_current_folder_deleted():
    try:
        return not os.path.isdir(os.getcwd())
    except FileNotFoundError:
        return True


def _end(reason):
    """Ends the command for wrong input."""
    sys.stderr.write(f"error: {printable(reason)}\n")
    sys.exit(2)


def write_and_load_tensorflow(text):
    """Writes an announcement, then imports TensorFlow with a progress line."""
    sys.stderr.write(text)
    if "tensorflow" not in sys.modules:
        gc.disable()  # it would look through a million new objects in vain
        try:
            with timed_phase("Loading TensorFlow"), _without_import_messages():
                import tensorflow  # noqa: F401
        finally:
            gc.enable()
        gc.freeze()  # what was imported stays


def _without_import_messages():
    """Hides what TensorFlow 2.21 prints while it is imported, whatever its log level is.

    Not for a user who has set a lower level, such as to see why no GPU is used.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3":
        return contextlib.nullcontext()
    return suppress_output.suppress_output_unless_failed()


@contextlib.contextmanager
def timed_phase(text):
    """Prints `text` before the work and the seconds it took after it."""
    sys.stderr.write(f"{text} ... ")
    sys.stderr.flush()
    start = time.monotonic()
    end = "\n"
    try:
        yield
        end = f"{time.monotonic() - start:.1f} s\n"
    finally:
        sys.stderr.write(end)


@contextlib.contextmanager
def _sigterm_as_exception():
    """SIGTERM raises SystemExit, so that unfinished files are removed."""

    def end(number, _frame):
        sys.stderr.write("stopped\n")
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _help_text(main, flag_values):
    """The docstring of `main`'s module, then our flags in the order of their definition."""
    lines = [(main.__globals__.get("__doc__") or "").strip(), ""]
    for module, defined in flag_values.flags_by_module_dict().items():
        if module.split(".")[0] not in _OUR_PACKAGES and module != sys.argv[0]:
            continue
        for flag in defined:
            lines += [*flag_lines(flag), ""]
    return "\n".join(lines) + "\n"


def flag_lines(flag, note=""):
    """Lines of --help: name and default, followed by `note`, then the wrapped help."""
    choices = getattr(flag.parser, "enum_values", None)
    help = flag.help
    if choices:
        kind, help = "|".join(choices), help.split(">: ", 1)[-1]  # absl repeats the choices there
    else:
        kind = _KINDS.get(flag.flag_type(), flag.flag_type())
    name = f"  --[no]{flag.name}" if flag.boolean else f"  --{flag.name}={kind}"
    default = "" if flag.default in (None, "", []) else f" (default: {flag.default_as_str[1:-1]})"
    indent = " " * 6
    text = textwrap.wrap(help, 96, initial_indent=indent, subsequent_indent=indent)
    return [name + default + note, *text]
