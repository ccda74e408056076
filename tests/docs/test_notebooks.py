"""Every notebook runs from top to bottom in its fast mode, twice, and is stored without outputs.
One that was stopped with Ctrl-C goes on when it is run again; own images and marks are taken."""

import json
import re
import signal
from functools import partial
from pathlib import Path

import pytest
from phantoms import write_images

import scp

FOLDER = Path(__file__).parents[2] / "notebooks"
CHOOSE, FIND = FOLDER / "01_choose_templates.ipynb", FOLDER / "02_find_landmarks.ipynb"
STAGES = {"key points": CHOOSE, "similarity": CHOOSE, "landmarks": FIND}  # with a progress
TRAININGS = {"FeatureExtractor": CHOOSE, "LandmarkRefiner": FIND}


def cells_of(path: Path, images: Path | None = None) -> list[str]:
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert cells and not any(c["outputs"] for c in cells)
    sources = ["".join(c["source"]) for c in cells]
    if images is not None:
        sources[0], count = re.subn("IMAGES = None", f"IMAGES = {str(images)!r}", sources[0])
        assert count == 1
    return sources


def run(path: Path, images: Path | None = None) -> dict:
    """From the first cell to the last, in a new session."""
    space = {}
    for number, source in enumerate(cells_of(path, images)):
        exec(compile(source, f"{path.name}, cell {number}", "exec"), space)
    assert space["FAST"] is True
    return space


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda p: p.name)
def test_notebook_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the second time in a new session, beside what the first wrote
        run(path)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A folder to work in, and phantoms that are drawn fast."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scp.datasets, "phantom", partial(scp.datasets.phantom, size=(160, 128)))


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_training_that_was_stopped_goes_on(kind, monkeypatch, small):
    made, starts, stop = getattr(scp, kind), [], True
    fit = made.fit

    def watched(self, *arguments, steps, **options):
        def see(event):
            if event["event"] == "start":
                starts.append(event["step"])
            elif event["event"] == "step" and stop and event["step"] == 2:
                signal.raise_signal(signal.SIGINT)

        self.set_params(training={**(self.training or {}), "log_every": 1})
        return fit(self, *arguments, steps=5, callback=see, **options)

    monkeypatch.setattr(made, "fit", watched)
    with pytest.raises(KeyboardInterrupt, match="stopped after step 2"):
        run(TRAININGS[kind])
    stop = False
    space = run(TRAININGS[kind])
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
