"""Other programs that read and write our files. Those that would disturb the tests' own packages
live in an environment of their own, build/peers (.ci/run makes it), whose Python is called."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Of the environment and the folder itself, first the one that is named.
PLACES = (os.environ.get("SCP_PEERS", ""), str(ROOT / "build/peers/bin/python"), sys.executable)
SECONDS = 300


@functools.cache
def python_with(module: str) -> str | None:
    """A Python that has the module."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    for python in PLACES:
        if python and os.path.exists(python):
            call = [python, "-c", look]
            if subprocess.run(call, capture_output=True, timeout=SECONDS).returncode == 0:
                return python
    return None


def ask(module: str, code: str, *arguments):
    """What `code` leaves in `answer`, as JSON carries it; in a Python that has the module, where
    `arguments` are texts. Skips where there is none, and says how to get it."""
    python = python_with(module)
    if python is None:
        pytest.skip(f"no {module} here: .ci/run installs it into build/peers (or SCP_PEERS=python)")
    code = f"import json, sys\narguments = sys.argv[1:]\n{code}\nprint('\\n' + json.dumps(answer))"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_PRELOAD")}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "PYTHONSAFEPATH": "1"}
    call = [python, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        call, capture_output=True, text=True, timeout=SECONDS, env=environment, cwd=ROOT / "tests"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rstrip().rpartition("\n")[2])
