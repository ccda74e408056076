"""The commands that come next start this program, however it was called."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from scp.cli import arguments
from scp.cli.main import EXIT_ERROR, main
from scp.cli.select import _groups_said
from scp.cli.train import asked_before
from scp.run.next import Shell, after_evaluation, with_features_of


@pytest.fixture
def installed(tmp_path):
    """A folder with a program scp, which stands for that of an environment."""
    program = tmp_path / "my env" / "scp"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_the_program_as_it_was_called(installed, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(installed), "info"])
    monkeypatch.setenv("PATH", str(installed.parent))
    assert arguments.program() == ["scp"]
    other = installed.parent.parent / "scp"  # of OpenSSH
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    for path in (str(other.parent), os.pathsep.join((str(other.parent), str(installed.parent)))):
        monkeypatch.setenv("PATH", path)
        assert arguments.program() == [str(installed)]


def test_a_module_is_named_with_its_python():
    done = subprocess.run(
        [sys.executable, "-m", "scp", "info"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": "/nowhere"},
    )
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words == [sys.executable, "-m", "scp", "demo"]
    assert Path(words[0]).is_file()


def test_a_folder_that_cannot_be_written(monkeypatch, capsys, tmp_path):
    """The path, the reason, and what to do; no number of an error."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    cv2.imwrite("images/a.png", np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))

    def refuse(self, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert main(["select", "images", "-m", "1"]) == EXIT_ERROR
    said = "error: runs/images: Permission denied; --run DIR names another folder to write to\n"
    assert capsys.readouterr().err.endswith(said)


@pytest.mark.parametrize(
    "features, trained, words",
    (
        ('features = "gradient"\nsize = [64, 32]\nchannels = 64\nlevels = 5', True, "gradient"),
        ('features = "gradient"\nsize = [64, 32]\nchannels = 64\nlevels = 5', False, None),
        ('features = "vectors"\nsource = "v.npy"', True, None),
        ('features = "maps"\nsource = "own.py:f"\nsize = [64, 32]', True, "own.py:f --size 64x32"),
        ("features = 3", True, None),
    ),
)
def test_what_marks_are_for_has_the_features_of_the_choice(tmp_path, features, trained, words):
    (tmp_path / "config.toml").write_text(f"[features]\n{features}\n")
    if trained:
        (tmp_path / "weights.safetensors").touch()
    line = with_features_of(tmp_path, Shell(["x"], [])).command("detect")
    assert line == "scp detect x" + (f" --features {words}" if words else "")


def test_millimetres_where_errors_are_in_pixels(tmp_path):
    (tmp_path / "config.toml").write_text("[dataset]\nspacing = [0.1, 0.2]\n")
    for folder, said in ((tmp_path, "0.1,0.2"), (tmp_path / "other", "MM")):
        file = folder / "landmarks.csv"
        lines = [line for _, line in after_evaluation([], file, None, "scp", False, pixels=True)]
        assert f"scp --spacing {said}" in lines
        assert not any("--spacing" in v for _, v in after_evaluation([], file, None, "scp", False))


def test_rules_of_the_choice_before_are_named(tmp_path):
    assert asked_before(tmp_path) == ([], [])
    text = '{"selected": [1, 2], "rules": {"exclude": [], "groups": [1, 2], "quota": 1}}'
    (tmp_path / "selection.json").write_text(text)
    assert asked_before(tmp_path) == (["-m", "2"], ["groups"])


def test_groups_are_counted():
    assert _groups_said(["a", "b", "a"], 2) == "2 groups; at most 2 of a group are chosen"
    assert _groups_said(["a", None, ""], 1).startswith("1 group (2 images without one); ")
