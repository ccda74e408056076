"""Notebooks: both files of a pair say the same, without outputs. `make docs` runs each of them
once; here some run again beside their files, after Ctrl-C, and on own images and marks."""

import importlib.util
import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from phantoms import write_images

import scp
from scp.networks import PRESETS

FOLDER = Path(__file__).parents[2] / "notebooks"
TOOL = Path(__file__).parents[2] / "tools" / "notebooks.py"
SOURCES = sorted(FOLDER.glob("*.py"))
CHOOSE, FIND = FOLDER / "01_start_here.ipynb", FOLDER / "05_find_landmarks.ipynb"
STAGES = {"key points": CHOOSE, "similarity": CHOOSE, "landmarks": FIND}  # with a progress
TRAININGS = {"FeatureExtractor": (CHOOSE, False), "LandmarkRefiner": (FIND, True)}  # and FAST


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("notebooks", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_both_files_of_a_pair_say_the_same(source, tool):
    text = source.read_text(encoding="utf-8")
    shown = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert shown == tool.notebook(text), "run tools/notebooks.py"
    (_, first), (_, settings), *_, (kind, last) = tool.cells(text)
    assert first.startswith("# ") and settings.startswith("FAST = True")
    assert kind == "markdown" and "## What to do next" in last


def test_every_notebook_is_a_pair():
    assert [p.stem for p in SOURCES] == [p.stem for p in sorted(FOLDER.glob("*.ipynb"))]


def cells_of(path: Path) -> list[str]:
    """The code of an .ipynb file."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


def run(path: Path, images: Path | None = None, fast: bool = True) -> dict:
    """From the first cell to the last, in a new session."""
    sources = cells_of(path)
    sources[0] = sources[0].replace("FAST = True", f"FAST = {fast}")
    if images is not None:
        sources[0], count = re.subn("IMAGES = None", f"IMAGES = {str(images)!r}", sources[0])
        assert count == 1
    space: dict = {}
    for number, source in enumerate(sources):
        exec(compile(source, f"{path.name}, cell {number}", "exec"), space)
    return space


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A folder to work in, few phantoms that are drawn fast, and a network that sees little."""
    made = scp.datasets.phantom
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        scp.datasets, "phantom", lambda n, **o: made(min(n, 12), **{**o, "size": (160, 128)})
    )
    monkeypatch.setitem(PRESETS, "laptop", replace(PRESETS["laptop"], size=(96, 96)))


@pytest.mark.parametrize("path", [CHOOSE, FIND], ids=lambda p: p.name)
def test_it_runs_again_beside_what_it_wrote(path, small):
    for _ in range(2):
        run(path)


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_training_that_was_stopped_goes_on(kind, monkeypatch, small):
    path, fast = TRAININGS[kind]
    made, starts, stop = getattr(scp, kind), [], True
    fit = made.fit

    def watched(self, *arguments, minutes=None, steps=None, **options):
        def see(event):
            if event["event"] == "start":
                starts.append(event["step"])
            elif event["event"] == "step" and stop and event["step"] == 2:
                signal.raise_signal(signal.SIGINT)

        self.set_params(training={**(self.training or {}), "log_every": 1})
        return fit(self, *arguments, steps=5, callback=see, **options)

    monkeypatch.setattr(made, "fit", watched)
    with pytest.raises(KeyboardInterrupt, match="stopped after step 2"):
        run(path, fast=fast)
    stop = False
    space = run(path, fast=fast)
    assert starts == [0, 2], "it goes on and does not start anew"
    trained = space["extractor" if kind == "FeatureExtractor" else "refiner"].trained_
    assert trained.finished and trained.step == 5


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_was_stopped_goes_on(stage, monkeypatch, small):
    make, stops = scp.Run.__init__, [stage]

    def progress(name, done, total):
        if name in stops and done == 5:
            stops.clear()
            raise KeyboardInterrupt

    monkeypatch.setattr(
        scp.Run, "__init__", lambda self, *a, **o: make(self, *a, **{**o, "progress": progress})
    )
    with pytest.raises(KeyboardInterrupt):
        run(STAGES[stage])
    assert not stops, "it was stopped in this stage"
    run(STAGES[stage])


def test_own_images_wait_for_their_marks(small):
    pool = scp.datasets.phantom(8, seed=3)
    write_images(Path("films"), pool)
    run(CHOOSE)  # on phantoms: it is not in the way
    run(CHOOSE, Path("films"))
    with pytest.raises(ValueError, match=r"marks\.csv"):
        run(FIND, Path("films"))
    marks = Path("scp-find-fast/films/marks.csv")
    asked = scp.read_landmarks(marks)
    assert len(asked.ids) == 3 and not asked.present.any()
    known = scp.Landmarks.of(pool).rows(asked.ids)
    known.xy[:, 4:] = float("nan")
    scp.write_landmarks(marks, known)
    space = run(FIND, Path("films"))
    assert len(space["found"].ids) == len(space["refined"].ids) == 8 and space["result"] is None
    assert space["found"].by_hand.any(axis=1).sum() == 3
