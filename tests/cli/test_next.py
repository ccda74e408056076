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
