"""The recipes of flags/: flag files that come with the project, wherever a command is started."""

from pathlib import Path

from hmr_tf.files.errors import InputError

# The checkout, or the folder that the wheel was installed into.
ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = (ROOT / "flags", ROOT / "hmr_tf" / "flags")
_FLAG = "flagfile="


def find(path):
    """The flag file at `path`; where there is none, the recipe of that name; else `path` itself.

    Args:
      path: str, as flags/paper.flags or paper.flags.
    """
    if Path(path).is_file() or Path(path).parent not in (Path(), Path("flags")):
        return path
    recipes = (folder / Path(path).name for folder in _FOLDERS)
    return next((str(recipe) for recipe in recipes if recipe.is_file()), path)


def resolve(arguments):
    """Arguments of a command, with each --flagfile=FILE as `find` finds it.

    Raises:
      InputError: such a file is no text, or begins with a byte order mark.
    """
    return [_resolve(argument) for argument in arguments]


def _resolve(argument):
    name, _, path = argument.partition(_FLAG)
    if name not in ("-", "--"):
        return argument
    path = find(path)
    if Path(path).is_file():
        _check_text(path)
    return f"{name}{_FLAG}{path}"


def _check_text(path):
    try:
        if Path(path).read_text(encoding="utf-8").startswith("\ufeff"):
            raise InputError(f"--flagfile={path} begins with a byte order mark: save it without.")
    except UnicodeDecodeError as error:
        raise InputError(
            f"--flagfile={path} is not a text file with a flag on each line."
        ) from error
    except OSError as error:
        raise InputError(f"--flagfile={path} cannot be read: {error.strerror}.") from error
