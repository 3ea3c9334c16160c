"""The workers of a training run on several machines, as TF_CONFIG names them."""

import json
import re
from typing import NamedTuple

from hmr_tf.files.errors import InputError

_EXAMPLE = (
    '\'{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", '
    '"index": 0}}\', with another index on each worker'
)
_ADDRESS = re.compile(
    r"(?:grpc://)?(?P<host>\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9_.-]+):(?P<port>[0-9]{1,5})"
)
_TRAINING = ("chief", "worker")  # in the order in which TensorFlow counts them
_OLD_NAMES = {"master": "chief"}  # as TensorFlow 1 and Kubernetes' TFJob call it


class Cluster(NamedTuple):
    """The processes that train together, in TensorFlow's order: the chief, where there is one."""

    addresses: tuple  # of str, HOST:PORT
    index: int  # of this process
    has_chief: bool = False  # the first one is of type chief, not worker

    @property
    def jobs(self):
        """dict: type -> addresses, as `tf.train.ClusterSpec` takes them."""
        first = int(self.has_chief)
        jobs = {"chief": self.addresses[:first], "worker": self.addresses[first:]}
        return {name: list(addresses) for name, addresses in jobs.items() if addresses}

    @property
    def task(self):
        """(type, index) of this process, as TensorFlow counts them."""
        is_chief = self.has_chief and self.index == 0
        return ("chief", 0) if is_chief else ("worker", self.index - self.has_chief)


def read_config(text):
    """`Cluster` of the environment variable TF_CONFIG; jobs that do not train are left out.

    Raises:
      InputError: it is missing or no valid cluster. TensorFlow would train alone, or wait for ever.
    """
    cluster, task = _parse(text)
    jobs = {}
    for name, addresses in cluster.items():
        jobs.setdefault(_OLD_NAMES.get(name, name), []).extend(_list(name, addresses))
    addresses = {name: jobs.get(name, []) for name in _TRAINING}
    kind = _OLD_NAMES.get(task["type"], task["type"])
    if kind not in _TRAINING:
        raise _invalid(
            f"the task's type is {_shown(kind)}; only {' and '.join(_TRAINING)} train: start no "
            "training there"
        )
    if len(addresses["chief"]) > 1:
        raise _invalid(f"it has {len(addresses['chief'])} chiefs; one is allowed")
    if not addresses[kind]:
        raise _invalid(f"the cluster has no {kind}; it has: {', '.join(jobs) or 'nothing'}"[:300])
    index = _index(task, kind, len(addresses[kind]))
    every = tuple(_address(address) for name in _TRAINING for address in addresses[name])
    repeated = next((a for n, a in enumerate(every) if a in every[:n]), None)
    if repeated:
        raise _invalid(f"the address {repeated} comes twice")
    has_chief = bool(addresses["chief"])
    return Cluster(every, index + (has_chief and kind == "worker"), has_chief)


def _parse(text):
    """The dicts "cluster" and "task" of TF_CONFIG."""
    if not text.strip():
        raise InputError(
            "--distribute=multi_worker needs the environment variable TF_CONFIG, as " + _EXAMPLE
        )
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{_shown(text)} is not JSON, which has double quotes") from error
    if not isinstance(config, dict):
        raise _invalid(f"{_shown(config)} is no object with cluster and task")
    for name in ("cluster", "task"):
        if not isinstance(config.get(name), dict):
            raise _invalid(f"{name} is {_shown(config[name])}" if name in config else f"no {name}")
    if not isinstance(config["task"].get("type"), str):
        raise _invalid("the task has no type")
    return config["cluster"], config["task"]


def _list(name, addresses):
    if name in (*_TRAINING, *_OLD_NAMES) and not isinstance(addresses, list):
        raise _invalid(f"{name} is {_shown(addresses)}, not a list of addresses")
    return addresses if isinstance(addresses, list) else []


def _index(task, kind, number):
    """The task's index, a number or its text; it may be left out where there is one task."""
    value = task.get("index", 0 if number == 1 else None)
    is_number = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    match = re.fullmatch(r"([0-9]{1,9})(\.0)?", str(value)) if is_number else None
    if not match or int(match[1]) >= number:
        raise _invalid(f"the task's index is {_shown(value)}, of {number} of type {kind}")
    return int(match[1])


def _address(text):
    """HOST:PORT in one spelling."""
    match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    is_host = match and all(0 < len(part) < 64 for part in match["host"].rstrip(".").split("."))
    if not is_host or not 0 < int(match["port"]) < 65536:
        raise _invalid(f"the address {_shown(text)} is not HOST:PORT")
    return f"{match['host'].lower()}:{int(match['port'])}"


def _invalid(reason):
    return InputError(f"TF_CONFIG: {reason}; it must be as {_EXAMPLE}")


def _shown(value):
    """What a user wrote, in one short line."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
