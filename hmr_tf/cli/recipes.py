"""The recipes of flags/: flag files that come with the project, wherever a command is started."""

from pathlib import Path

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
    """Arguments of a command, with each --flagfile=FILE as `find` finds it."""
    return [_resolve(argument) for argument in arguments]


def _resolve(argument):
    name, _, path = argument.partition(_FLAG)
    return f"{name}{_FLAG}{find(path)}" if name in ("-", "--") else argument
