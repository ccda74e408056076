"""Names that the documentation and the docstrings write in full, `scp.select`, are there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import scp

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    ROOT / "README.md",
    *(ROOT / "docs").rglob("*.md"),
    *Path(scp.__file__).parent.rglob("*.py*"),
]
NAME = re.compile(r"(?<![\w./\"'])scp(?:\.[A-Za-z_]\w*)+")


def exists(name: str) -> bool:
    """Whether an attribute of some module has that name, or a module."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
            for part in parts[k:]:
                found = getattr(found, part)
        except (ImportError, AttributeError):
            continue
        return True
    return False


@pytest.mark.parametrize("name", ["scp.select", "scp.networks.import_vgg19", "scp.report.page"])
def test_a_name_that_exists_is_found(name):
    assert exists(name) and not exists(f"{name}.nothing") and not exists("scp.nothing")


def test_all_names_exist():
    named = {
        (name, path.relative_to(path.parents[1]).as_posix())
        for path in TEXTS
        if path.suffix in (".md", ".py", ".pyi")
        for name in NAME.findall(path.read_text())
    }
    assert len(named) >= 50
    assert [pair for pair in sorted(named) if not exists(pair[0])] == []
