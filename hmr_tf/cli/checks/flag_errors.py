"""Wrong flags in one line: which, what is allowed, and what was probably meant."""

import difflib
import re

from absl import flags

# What the same thing is called elsewhere -> our flag.
_OTHER_NAMES = {
    **dict.fromkeys(("image", "images", "img", "input", "photo", "photos", "picture"), "img_path"),
    **dict.fromkeys(("movie", "video"), "video_path"),
    **dict.fromkeys(("ckpt", "checkpoint", "model", "restore", "weights"), "load_path"),
    **dict.fromkeys(("outdir", "out_folder", "result_dir", "save_dir", "save_path"), "output_dir"),
    **dict.fromkeys(("learning_rate", "lr"), "e_lr"),
    **dict.fromkeys(("bbox", "bboxes"), "box"),
    **dict.fromkeys(("camera", "cam"), "webcam"),
    "smpl": "smpl_model_path",
    "steps": "num_steps",
}
_CHOICE = re.compile(r"flag --(?P<name>\w+)=(?P<given>.*): value should be one of <(?P<known>.*)>")
_OTHERS = {
    r"flag (--\w+=.*): (?:invalid literal for int|could not convert).*": r"\1 is not a number",
    r"flag (--(\w+)=.*): .*Non-boolean argument.*": r"\1: pass --\2 or --no\2, without a value",
    r"flag (--\w+=.*): .* is not (.*)": r"\1 is not \2",
    r"Unable to open flagfile: .*: '(.*)'": r"--flagfile=\1: no such file",
    r"Missing value for flag (--\w+)": r"\1 has no value: every option is --name=value",
}


def explain(error, flag_values):
    """The line of a wrong flag.

    Args:
      error: the `flags.Error` of absl.
      flag_values: the absl flags of the command.
    """
    text = " ".join(str(error).splitlines()).replace("ERROR:: ", "")  # absl has both
    if isinstance(error, flags.UnrecognizedFlagError):
        meant = _likely_flag(error.flagname, list(flag_values))
        text = f"--{error.flagname} is not a flag"
        return f"{text}: did you mean --{meant}? (--help lists the flags)" if meant else _see(text)
    if match := _CHOICE.fullmatch(text):
        known = match["known"].split("|")
        return not_one_of(match["name"], match["given"], known)
    plain = (re.sub(pattern, words, text) for pattern, words in _OTHERS.items())
    return _see(next((words for words in plain if words != text), text))


def not_one_of(name, given, known):
    """The line of a flag's value that is not one of the `known` ones."""
    close = closest(given, known)
    meant = f": did you mean --{name}={close}?" if close else "."
    return f"--{name}={given} is not one of {', '.join(known)}{meant}"


def closest(given, known):
    """The one of `known` that a mistyped word is likely to be, or None."""
    return next(iter(difflib.get_close_matches(given.lower(), known, n=1)), None)


def _likely_flag(given, known):
    given = given.lower().replace("-", "_")
    if _OTHER_NAMES.get(given) in known:
        return _OTHER_NAMES[given]
    begins = sorted((name for name in known if name.startswith(given)), key=len)
    return next(iter(begins), None) or closest(given, known)


def _see(text):
    return f"{text} (--help lists the flags)"
