"""The images of a pool: what a stopped run found stays, and what does not fit goes to a file."""

import pickle

import cv2
import numpy as np
import pytest

import scp
from scp.keypoints import Pool
from scp.keypoints.kept import KeptImages
from scp.runs import images as known
from scp.runs.images import JOURNAL

EXTRACTOR = scp.GradientExtractor(size=(64, 64))


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "AT_REST", 0)  # the files are new
    made, folder = scp.datasets.phantom(6, size=(96, 80)), tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        cv2.imwrite(str(folder / f"{i}.png"), made.image(i))
    return scp.datasets.folder(folder)


def decoded(pool, run, monkeypatch, stop=None):
    """Images that a Pool reads to find its key points; stopped after so many."""
    read, own = [], type(pool).grid

    def grid(self, i, *args):
        if len(read) == stop:
            raise KeyboardInterrupt
        read.append(i)
        return own(self, i, *args)

    with monkeypatch.context() as patch:
        patch.setattr(type(pool), "grid", grid)
        try:
            return read, Pool(pool, EXTRACTOR, count=30, run=run)
        except KeyboardInterrupt:
            return read, None


def test_a_stopped_search_for_key_points_goes_on(pool, tmp_path, monkeypatch):
    run = tmp_path / "run"
    whole = Pool(pool, EXTRACTOR, count=30)
    read, found = decoded(pool, run, monkeypatch, stop=4)
    assert (read, found) == ([0, 1, 2, 3], None) and (run / JOURNAL).is_file()
    lines = (run / JOURNAL).read_bytes().splitlines(keepends=True)
    assert len(lines) == 5
    lines[2] = lines[2].replace(b'"sha256": "', b'"sha256": "0')  # damaged
    (run / JOURNAL).write_bytes(b"".join(lines)[:-9])  # cut off
    read, found = decoded(pool, run, monkeypatch)
    assert read == [1, 3, 4, 5]
    assert found.digests == whole.digests and np.array_equal(found.xy, whole.xy)
    assert np.array_equal(found.response, whole.response)
    assert not (run / JOURNAL).exists()
    assert decoded(pool, run, monkeypatch)[0] == []


def test_a_journal_of_other_settings_is_not_taken(pool, tmp_path, monkeypatch):
    run = tmp_path / "run"
    decoded(pool, run, monkeypatch, stop=3)
    text = (run / JOURNAL).read_bytes()
    other = Pool(pool, EXTRACTOR, count=20, run=run)
    assert len(other.points[0]) <= 20
    (run / "images.json").unlink()
    (run / JOURNAL).write_bytes(b"\xff" + text)
    assert decoded(pool, run, monkeypatch)[0] == list(range(6))


def test_images_that_do_not_fit_lie_in_a_file(tmp_path):
    images = np.random.default_rng(0).integers(0, 65536, (5, 8, 6)).astype(np.uint16)
    kept = KeptImages(2 * images[0].nbytes, tmp_path)
    for i in (3, 0, 4, 1, 4):
        kept.put(i, images[i])
    assert kept.get(2) is None
    for i in (0, 1, 3, 4):
        assert np.array_equal(kept.get(i), images[i])
    assert list(tmp_path.iterdir()) == []  # it has no name
    copy = pickle.loads(pickle.dumps(kept))
    assert np.array_equal(copy.get(3), images[3]) and copy.get(4) is None
    nowhere = KeptImages(images[0].nbytes, tmp_path / "missing")
    for i in range(3):
        nowhere.put(i, images[i])
    assert np.array_equal(nowhere.get(0), images[0]) and nowhere.get(1) is None


def test_a_pool_beyond_its_memory_reads_no_image_twice(pool, tmp_path, monkeypatch):
    _, found = decoded(pool, tmp_path / "run", monkeypatch)
    small = Pool(pool, EXTRACTOR, count=30, run=tmp_path / "other", max_memory=4 * 8192)
    with monkeypatch.context() as patch:
        patch.setattr(type(pool), "grid", None)
        for i in range(6):
            assert np.array_equal(small.image(i), found.image(i))


def test_another_scale_of_values_is_another_image(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "AT_REST", 0)
    made, folder = scp.datasets.phantom(2, size=(96, 80)), tmp_path / "images"
    folder.mkdir()
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.tiff"), made.image(i).astype(np.float32) / 100)
    for scale in ((0, 2.55), (0, 4.0)):
        pool = scp.datasets.folder(folder, scale=scale)
        found = Pool(pool, EXTRACTOR, count=10, run=tmp_path / "run")
        assert found.digests == Pool(pool, EXTRACTOR, count=10).digests
