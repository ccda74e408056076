"""Every notebook runs from top to bottom in its fast mode, twice, and is stored without outputs."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda p: p.name)
def test_notebook_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert cells and not any(c["outputs"] for c in cells)
    for _ in range(2):  # the second time in a new session, beside what the first wrote
        space = {}
        for number, cell in enumerate(cells):
            exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), space)
        assert space["FAST"] is True
