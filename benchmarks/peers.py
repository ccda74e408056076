"""Peers live in a throw-away environment: installed on demand, never a dependency."""

import json
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
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            missing.append(f"{package}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return str(python), missing


def environment() -> dict[str, str]:
    """What a peer runs in: all CPUs, no forced kernels, nothing of ours on its path."""
    return {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("OPENBLAS_") and k not in ("PYTHONPATH", "OMP_NUM_THREADS")
    }


def run(python: str, script: str, *arguments: str, timeout: float = 600) -> str:
    """Standard output of a script text under that interpreter."""
    done = subprocess.run(
        [python, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=timeout,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "failed")
    return done.stdout


class Session:
    """A peer that stays: a script text that answers every line of JSON with a line of JSON.

    For alternating measurements whose preparation is dear. Close it, or use it with `with`.
    """

    def __init__(self, python: str, script: str, *arguments: str):
        self.process = subprocess.Popen(
            [python, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def ask(self, **request):
        """The answer to a request."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer ended with status {self.process.wait()}")
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
