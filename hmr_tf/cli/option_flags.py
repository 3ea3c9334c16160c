"""A dataclass of options as absl flags: its fields, their parsers, --help of one mode."""

import dataclasses
import math

from absl import flags

from hmr_tf.body.skeleton import LSP_JOINTS, MPI_INF_3DHP_JOINTS
from hmr_tf.cli import command_line
from hmr_tf.cli.checks import flag_errors
from hmr_tf.files.errors import InputError


def option(
    default,
    help,
    modes,
    choices=None,
    least=0,
    most=None,
    heading=None,
    affects_training=False,
    parse=None,
):
    """A field of a dataclass of options.

    Args:
      default: its type is the flag's.
      help: for --help.
      modes: names of the modes that use it, one or a tuple; the others accept and ignore it.
      choices: the values there are.
      least, most: bounds of a number.
      heading: title of the group of flags that begins here.
      affects_training: whether it affects the training result.
      parse: for a list: (name, tuple of str) -> value; InputError for wrong ones.
    """
    metadata = {
        "help": help,
        "modes": (modes,) if isinstance(modes, str) else modes,
        "choices": choices,
        "bounds": {"lower_bound": least, "upper_bound": most},
        "heading": heading,
        "affects_training": affects_training,
        "parse": parse,
    }
    return dataclasses.field(default=default, metadata=metadata)


def pixels(form):
    """Parses --box=x,y,width,height and the like; `form` names the numbers."""

    def parse(name, values):
        try:
            numbers = tuple(float(value) for value in values)
        except ValueError:
            numbers = ()
        if len(numbers) != len(form.split(",")) or not all(map(math.isfinite, numbers)):
            raise InputError(f"--{name}={','.join(values)} is not {form} in pixels.")
        return numbers

    return parse


def step_range(name, values):
    """First and last step."""
    try:
        first, last = (int(value) for value in values)
    except ValueError:
        first, last = 0, 0
    if not 0 < first <= last:
        raise InputError(f"--{name}={','.join(values)} is not two numbers of steps, as 100,110.")
    return first, last


def trials(name, values):
    if not set(values) <= {"0", "1"}:
        raise InputError(f"--{name}={','.join(values)}: give 0, 1 or 0,1.")
    return tuple(int(value) for value in sorted(set(values)))


def joint_names(name, values):
    """14 and 17 mean LSP's and MPI-INF-3DHP's joints; names are checked by the protocol."""
    known = {str(len(names)): names for names in (LSP_JOINTS, MPI_INF_3DHP_JOINTS)}
    return known.get(values[0], values) if len(values) == 1 else values


def define(options_class, flag_values=flags.FLAGS):
    """Makes an absl flag of every field."""
    for field in dataclasses.fields(options_class):
        _define(field, flag_values)


def _define(field, flag_values):
    name, default, metadata = field.name, field.default, field.metadata
    target = {"flag_values": flag_values}
    if metadata["choices"]:
        flags.DEFINE_enum(name, default or None, metadata["choices"], metadata["help"], **target)
    elif isinstance(default, tuple):
        flags.DEFINE_list(name, list(default), metadata["help"], **target)
    elif isinstance(default, bool) or default is None:
        flags.DEFINE_bool(name, default, metadata["help"], **target)
    elif isinstance(default, int):
        flags.DEFINE_integer(name, default, metadata["help"], **metadata["bounds"], **target)
    elif isinstance(default, float):
        flags.DEFINE_float(name, default, metadata["help"], **metadata["bounds"], **target)
    else:
        flags.DEFINE_string(name, default, metadata["help"], **target)


def parsed(options_class, flag_values=flags.FLAGS):
    """An `options_class` of the parsed flags; InputError for numbers that make no sense."""
    fields = dataclasses.fields(options_class)
    return options_class(**{field.name: _value(field, flag_values) for field in fields})


def without_effect(options_class, mode, flag_values=flags.FLAGS):
    """Names of the flags that were given and that a mode does not read."""
    return [
        field.name
        for field in dataclasses.fields(options_class)
        if flag_values[field.name].present
        and field.metadata["modes"]
        and mode not in field.metadata["modes"]
    ]


def _value(field, flag_values):
    name, value, parse = field.name, flag_values[field.name].value, field.metadata["parse"]
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"--{name}={value} is not a finite number.")
    if isinstance(field.default, tuple):
        value = tuple(value or ())
        return parse(name, value) if parse and value else value
    return "" if value is None and field.default == "" else value


def help_text(options_class, introduction, modes, arguments, flag_values=flags.FLAGS):
    """What --help prints: the modes; with --mode the flags of that mode; with --helpfull all flags.

    Args:
      options_class: dataclass whose fields `option` made.
      introduction: first lines.
      modes: mode -> what it does, in one line, and the flags of an example.
      arguments: of the command line.
    """
    mode, fields = _mode(arguments), groups(options_class)
    if mode and mode not in modes:
        raise InputError(flag_errors.not_one_of("mode", mode, list(modes)))
    if mode:
        summary, example = modes[mode]
        heading = f"--mode={mode}: {summary}\n\n{_example(mode, example)}"
        return _text([heading, *_flags_of(fields, flag_values, mode)])
    if any(argument.endswith("helpfull") for argument in arguments):
        return _text([introduction, *_flags_of(fields, flag_values)])
    lines = [
        f"  --mode={name:12}{summary}\n{_example(name, example)}"
        for name, (summary, example) in modes.items()
    ]
    hint = "--help --mode=MODE lists the flags of a mode, --helpfull those of all modes."
    return _text([introduction, "\n".join(lines), hint])


def _example(mode, example):
    return f"      python -m hmr_tf.main --mode={mode} {example}"


def _text(parts):
    return "\n\n".join(parts) + "\n"


def _mode(arguments):
    """The value of --mode=VALUE or --mode VALUE, or None."""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, value = argument.lstrip("-").partition("=")
        if name == "mode" and argument.startswith("-"):
            return value if equals else following
    return None


def groups(options_class):
    """Title -> fields, as --help groups them; the first group has no title."""
    grouped, title = {}, ""
    for field in dataclasses.fields(options_class):
        title = field.metadata["heading"] or title
        grouped.setdefault(title, []).append(field)
    return grouped


def _flags_of(grouped, flag_values, mode=None):
    """Titles of groups and texts of flags: those of a mode, or all with the modes of each."""
    for title, fields in grouped.items():
        shown = [field for field in fields if mode is None or mode in field.metadata["modes"]]
        if shown and title:
            yield f"{title}:"
        for field in shown:
            modes = field.metadata["modes"]
            note = f"  [{', '.join(modes)}]" if modes and mode is None else ""
            yield "\n".join(command_line.flag_lines(flag_values[field.name], note))
