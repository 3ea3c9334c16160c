"""What the quickstart runs, without running it."""

import pytest

from hmr_tf.cli import quickstart
from hmr_tf.cli.options import Options
from hmr_tf.files.errors import InputError
from hmr_tf.networks import released_weights


@pytest.fixture
def steps(monkeypatch):
    """(title, command) of each step; none is run."""
    calls = []
    monkeypatch.setattr(quickstart, "_step", lambda title, *command: calls.append((title, command)))
    monkeypatch.setattr(quickstart, "_evaluate", lambda *_: dict.fromkeys(("people", *ERRORS), 1.0))
    return calls


ERRORS = quickstart.ERRORS


def options(tmp_path, **changes):
    return Options(mode="quickstart", output_dir=str(tmp_path / "out"), **changes)


def test_quickstart_predicts_with_the_released_network_first(tmp_path, monkeypatch, steps, capsys):
    monkeypatch.setattr(released_weights, "PATH", quickstart.PHOTO)  # any file that is there
    quickstart.quickstart(options(tmp_path))
    title, command = steps[0]
    assert title == "The released network"
    assert "--load_path=released" in command
    assert "--write=overlay,panels,glb,viewer" in command
    assert "Training" in [title for title, _ in steps[1:]]
    text = capsys.readouterr().out
    assert "The released network's body over astronaut.jpg" in text
    assert "Body of the small network over astronaut.jpg" in text


def test_quickstart_ends_after_the_released_network_when_asked(tmp_path, monkeypatch, steps):
    monkeypatch.setattr(released_weights, "PATH", quickstart.PHOTO)
    quickstart.quickstart(options(tmp_path, skip_training=True))
    assert [title for title, _ in steps] == ["The released network"]


def test_quickstart_without_a_released_network_trains(tmp_path, monkeypatch, steps, capsys):
    monkeypatch.setattr(released_weights, "PATH", tmp_path / "network.npz")
    quickstart.quickstart(options(tmp_path))
    assert "The released network" not in [title for title, _ in steps]
    assert "There is no released network" in capsys.readouterr().out


def test_quickstart_with_a_bad_photograph_runs_nothing(tmp_path, steps):
    (tmp_path / "photo.jpg").write_bytes(b"no photograph")
    with pytest.raises(InputError, match="not an image that can be read"):
        quickstart.quickstart(options(tmp_path, img_path=str(tmp_path / "photo.jpg")))
    assert steps == []
