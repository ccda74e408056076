"""Every fenced Python block of the documentation runs.

The blocks of a page share their names and run as a reader would paste them, in a folder of images
and marks; a few pages go on from a run, and say so. Images are tiny and trainings take two steps,
whatever the page asks for. A block below a comment `<!-- not run: why -->` is left out.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from phantoms import write_cephalometric, write_images

import scp
from scp.networks import PRESETS
from scp.networks.refine import REFINEMENTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(<!-- not run: [^\n]+ -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GO_ON = ("certificate.md", "detection.md", "refinement.md", "report.md")  # from the run before
COUNT = 70  # images: pages speak of the one of row 68


def blocks(page: Path) -> list[tuple[int, str]]:
    """The lines and the text of the blocks that run."""
    text = page.read_text()
    return [
        (text.count("\n", 0, found.start(3)), found[3])
        for found in BLOCK.finditer(text)
        if found[2] == "python" and not found[1]
    ]


def run(name: str, parts: list[tuple[int, str]], space: dict) -> None:
    for line, code in parts:
        exec(compile("\n" * line + code, name, "exec"), space)  # errors show the line of the page


def shortened(fit):
    """`fit` of a network in two steps."""

    def short(*arguments, minutes=None, steps=None, **options):
        return fit(*arguments, steps=2, **options)

    return short


@pytest.fixture(scope="module")
def small():
    """Networks look at tiny images, and briefly."""
    with pytest.MonkeyPatch.context() as patch:
        for presets in (PRESETS, REFINEMENTS):
            patch.setitem(presets, "laptop", replace(presets["laptop"], size=(64, 64)))
        for kind in (scp.FeatureExtractor, scp.LandmarkRefiner):
            patch.setattr(kind, "fit", shortened(kind.fit))
        yield


@pytest.fixture(scope="module")
def prepared(small, tmp_path_factory) -> Path:
    """The folder as the pages expect it."""
    folder = tmp_path_factory.mktemp("docs")
    pool = scp.datasets.phantom(COUNT, seed=1, size=(96, 80))
    write_images(folder / "radiographs", pool.subset(range(30)))
    write_images(folder / "xrays", pool.subset(range(3)))
    write_cephalometric(folder / "cephalometric", pool)
    scp.write_landmarks(folder / "landmarks.csv", scp.Landmarks.of(pool))
    scp.write_landmarks(folder / "marks.csv", scp.Landmarks.of(pool.subset(range(30))))
    images = scp.datasets.folder(folder / "radiographs")
    extractor = scp.FeatureExtractor().fit(images, run=folder / "runs/mine", progress=False)
    scp.choose(images, 5, features=extractor, run=folder / "runs/mine", report=False)
    return folder


@pytest.fixture
def space(prepared, tmp_path, monkeypatch) -> dict:
    """What pages take for granted: a copy of the folder to work in, without runs."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True, ignore=lambda *_: ["runs"])
    monkeypatch.chdir(tmp_path)
    return {}


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.name)
def test_page(page, space, prepared):
    if page.name in GO_ON:
        shutil.copytree(prepared / "runs", "runs")
        assert "runs/mine" in page.read_text()
    run(str(page), blocks(page), space)


def test_the_first_block_of_the_readme_needs_images_only(space):
    Path("marks.csv").unlink()
    (first, *rest) = blocks(ROOT / "README.md")
    run("README.md", [first], space)
    marks = scp.Landmarks.of(scp.datasets.phantom(COUNT, seed=1, size=(96, 80)))
    scp.write_landmarks("marks.csv", marks.rows(space["choice"].ids))
    run("README.md", rest, space)
    assert Path("runs/mine/report.html").is_file() and len(rest) == 1


def test_docstring_of_the_package(space):
    assert scp.__doc__
    parts = re.findall(r"^((?:    .+\n)+)", scp.__doc__, re.MULTILINE)
    assert len(parts) == 3
    run("scp.__doc__", [(0, re.sub("^    ", "", part, flags=re.M)) for part in parts], space)


def test_every_fence_is_closed_and_few_blocks_are_left_out():
    skipped = 0
    for page in PAGES:
        text = page.read_text()
        found = list(BLOCK.finditer(text))
        assert len(re.findall("^```", text, re.MULTILINE)) == 2 * len(found), page
        skipped += sum(m[1] is not None for m in found)
    assert skipped <= 3
