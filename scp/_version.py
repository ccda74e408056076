"""The version of the package, and what a result depends on besides its inputs."""

import platform

import numpy as np

from . import _core

__version__ = "0.2.0"


def versions() -> dict[str, str]:
    """Versions, instruction set and threads."""
    return {
        "scp": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {_core.isa()}, {_core.threads()} threads",
    }
