"""Peers live in a throw-away environment: installed on demand, never a dependency."""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def interpreter(packages: list[str], given: str | None = None) -> tuple[str, list[str]]:
    """A Python with the packages that could be installed, and those that could not."""
    if given:
        return given, []
    folder = Path(tempfile.gettempdir()) / f"scp-peers-{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    missing = []
    for package in packages:
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            missing.append(f"{package}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return str(python), missing


def run(python: str, script: str, *arguments: str, timeout: float = 600) -> str:
    """Standard output of a script text under that interpreter; all CPUs, no forced kernels."""
    environment = {
        k: v for k, v in os.environ.items()
        if not k.startswith("OPENBLAS_") and k not in ("PYTHONPATH", "OMP_NUM_THREADS")
    }  # fmt: skip
    done = subprocess.run(
        [python, "-c", script, *arguments],
        capture_output=True, text=True, check=False, env=environment, timeout=timeout,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "failed")
    return done.stdout
