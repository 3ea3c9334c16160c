"""A program that imports hmr_tf stays as it was: environment variables, imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hmr_tf.networks import require_keras_2

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import json, os, sys
{before}
environment, modules = dict(os.environ), set(sys.modules)
import hmr_tf
heavy = [name for name in ("tensorflow", "keras", "cv2") if name in set(sys.modules) - modules]
changed = {{k: v for k, v in os.environ.items() if environment.get(k) != v}}
gone = [name for name in environment if name not in os.environ]
print(json.dumps([changed, gone, heavy]))
"""


def import_in_a_fresh_process(tmp_path, before="", keras="", has_tf_keras=True, **environment):
    """(variables changed, variables removed, heavy modules imported) by `import hmr_tf`.

    keras: a version that is taken for the installed one, before the real one.
    """
    if keras:
        info = tmp_path / f"keras-{keras}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: keras\nVersion: {keras}\n")
    if has_tf_keras:
        (tmp_path / "tf_keras.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before)],
        env={"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT))), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_import_changes_nothing_where_keras_2_is_the_default(tmp_path):
    assert import_in_a_fresh_process(tmp_path, keras="2.15.0") == [{}, [], []]


def test_import_selects_keras_2_where_keras_3_is_the_default(tmp_path):
    changed = {"TF_USE_LEGACY_KERAS": "1"}
    assert import_in_a_fresh_process(tmp_path, keras="3.15.1") == [changed, [], []]


def test_import_changes_nothing_after_tensorflow(tmp_path):
    before = "import types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')"
    assert import_in_a_fresh_process(tmp_path, before, keras="3.15.1") == [{}, [], []]


def test_import_changes_nothing_without_tf_keras(tmp_path):
    before = "import importlib.util; importlib.util.find_spec = lambda name: None"
    assert import_in_a_fresh_process(tmp_path, before, "3.15.1", False) == [{}, [], []]


def test_import_keeps_the_users_choice_of_keras(tmp_path):
    result = import_in_a_fresh_process(tmp_path, keras="3.15.1", TF_USE_LEGACY_KERAS="0")
    assert result == [{}, [], []]


def test_networks_refuse_keras_3():
    require_keras_2("2.15.0")
    with pytest.raises(ImportError, match=r"tf\.keras is Keras 3\.15\.1: .*TF_USE_LEGACY_KERAS"):
        require_keras_2("3.15.1")


@pytest.mark.parametrize(
    ("level", "fails", "is_shown"),
    [(None, False, False), (None, True, True), ("0", False, True), ("3", False, True)],
)
def test_load_hides_what_the_import_of_tensorflow_prints(tmp_path, level, fails, is_shown):
    """Unless it fails, or the user has chosen a log level; the environment stays as it is."""
    error = "raise ImportError('broken')" if fails else ""
    (tmp_path / "tensorflow.py").write_text(f"import os; os.write(2, b'no cuda drivers'); {error}")
    code = (
        "import os, hmr_tf\nbefore = dict(os.environ)\n"
        "try:\n  hmr_tf._import_tensorflow_quietly()\n  import tensorflow\n"
        "except ImportError: pass\n"
        "assert dict(os.environ) == before\nos.write(2, b'later lines are shown')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT))),
            **({"TF_CPP_MIN_LOG_LEVEL": level} if level else {}),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("no cuda drivers" in done.stderr) == is_shown
    assert "later lines are shown" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'nowhere'", "No checkpoint at --load_path=nowhere"),
        ("detector='nowhere'", "--detector=nowhere holds no detector"),
    ],
)
def test_load_refuses_wrong_paths_before_tensorflow_is_imported(tmp_path, arguments, message):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('none is loaded here')")
    done = subprocess.run(
        [sys.executable, "-c", f"import hmr_tf; hmr_tf.load({arguments})"],
        env={"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"InputError: {message}" in done.stderr.splitlines()[-1]


def test_commands_set_the_environment_and_keep_the_users(tmp_path):
    code = (
        "import os, sys\nfrom hmr_tf import main\nfrom hmr_tf.cli import command_line\n"
        "assert not {'cv2', 'tensorflow'} & set(sys.modules), 'too late'\n"
        "try: command_line.run(main.main, argv=['hmr', '--help'])\n"
        "except SystemExit: pass\n"
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'], os.environ['OPENCV_LOG_LEVEL'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT), "OPENCV_LOG_LEVEL": "INFO"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "1 INFO"
