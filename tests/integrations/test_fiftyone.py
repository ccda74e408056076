"""FiftyOne's samples, which need no database; a data set where its database starts (else
skipped)."""

import os

import numpy as np
import pytest
from phantoms import write_images

import scp

POOL = scp.datasets.phantom(6, seed=0, size=(96, 80))


@pytest.fixture
def fo():
    os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
    return pytest.importorskip("fiftyone", reason="FiftyOne is not installed")


@pytest.fixture
def run(tmp_path):
    images = scp.datasets.folder(write_images(tmp_path / "images", POOL))
    stages = scp.Run(images, tmp_path / "run", count=20, progress=False)
    chosen = stages.select(2).ids
    rows = images.rows(chosen)
    marks = scp.Landmarks(chosen, POOL.landmark_names, POOL.landmarks[rows])
    scp.write_landmarks(tmp_path / "run" / "marks.csv", marks)
    stages.detect()
    return stages, chosen


def test_samples_have_what_the_run_folder_knows(run, fo):
    from scp.integrations import fiftyone_samples

    stages, chosen = run
    samples = {os.path.basename(s.filepath): s for s in fiftyone_samples(stages, stages.dataset)}
    assert [n for n, s in samples.items() if "scp-chosen" in s.tags] == sorted(chosen)
    first = samples[chosen[0]]
    assert (
        first["scp_pick"] == 1
        and first["scp_gain"] > 0
        and "scp_pick" not in samples[next(n for n in samples if n not in chosen)]
    )
    size = np.array(stages.dataset.shape(0)[::-1])
    row = stages.dataset.ids.index(chosen[0])
    for name, point in zip(POOL.landmark_names, first["scp_marks"].keypoints, strict=True):
        assert point.label == name
        k = POOL.landmark_names.index(name)
        assert np.allclose(np.array(point.points[0]) * size - 0.5, POOL.landmarks[row, k])
    found = scp.read_landmarks(stages.path / "landmarks.csv")
    for name, sample in samples.items():
        i = found.ids.index(name)
        points = sample["scp_landmarks"].keypoints
        assert [p.confidence[0] for p in points] == found.confidence[i].tolist()
        xy = stages.points().xy[slice(*stages.points().offsets[i : i + 2])]
        shares = np.array(sample["scp_keypoints"].keypoints[0].points)
        assert np.allclose(shares * size - 0.5, xy, atol=1e-4)


class View:
    """What is used of a view: its samples."""

    def __init__(self, samples):
        self.samples = samples

    def iter_samples(self, autosave):
        assert autosave
        return iter(self.samples)


def test_samples_that_are_there_get_the_fields(run, fo, tmp_path):
    from scp.integrations import add_to_fiftyone

    stages, chosen = run
    paths = [stages.dataset.path(i) for i in range(len(stages.dataset))]
    others = [fo.Sample(filepath=str(tmp_path / "other.png"), tags=["mine", "scp-chosen"])]
    view = View([fo.Sample(filepath=path, tags=["mine"]) for path in paths] + others)
    for _ in range(2):
        assert add_to_fiftyone(view, stages, stages.dataset) == len(paths)
    tagged = [s for s in view.samples[:-1] if "scp-chosen" in s.tags]
    assert sorted(os.path.basename(s.filepath) for s in tagged) == sorted(chosen)
    assert sorted(s["scp_pick"] for s in tagged) == [1, 2] and "mine" in tagged[0].tags
    assert others[0].tags == ["mine", "scp-chosen"]  # of no image of the run
    other = stages.select(1).ids
    add_to_fiftyone(view, stages, stages.dataset)
    picks = {os.path.basename(s.filepath): s for s in view.samples[:-1]}
    assert [n for n, s in picks.items() if s.has_field("scp_pick") and s["scp_pick"]] == other


def test_a_data_set_and_one_that_is_there(run, fo):
    from scp.integrations import add_to_fiftyone, to_fiftyone

    stages, chosen = run
    try:
        dataset = to_fiftyone(stages, stages.dataset)
    except Exception as error:  # of its service: no mongod
        if "MongoDB" not in str(error) and "mongod" not in str(error):
            raise
        pytest.skip(f"FiftyOne's database does not start here: {str(error)[:80]}")
    assert dataset.match_tags("scp-chosen").count() == len(chosen)
    again = fo.Dataset()
    again.add_samples([fo.Sample(filepath=s.filepath) for s in dataset])
    assert add_to_fiftyone(again, stages, stages.dataset) == len(stages.dataset)
    assert add_to_fiftyone(again, stages, stages.dataset) == len(stages.dataset)
    assert sorted(again.match_tags("scp-chosen").values("scp_pick")) == [1, 2]
