"""A job over the pairs of images: what it resumes, notices and keeps to."""

import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

import scp
from scp.keypoints import Pool
from scp.runs import images as run_images


def job(images, points=None):
    pool = scp.datasets.folder(images)
    found = Pool(pool, scp.GradientExtractor(size=(128, 128)), count=30)
    return scp.SimilarityJob(found.image, len(pool), found.points, found.extractor)


KILLED = """
import os, sys, scp
from scp.keypoints import Pool
pool = scp.datasets.folder(sys.argv[1])
found = Pool(pool, scp.GradientExtractor(size=(128, 128)), count=30)
job = scp.SimilarityJob(found.image, len(pool), found.points, found.extractor)
def progress(stage, done, total):
    if done == len(pool) + int(sys.argv[3]):
        os.kill(os.getpid(), 9)
job.run(sys.argv[2], progress)
"""


def test_kill_and_resume_gives_the_same_file(images, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    job(images).run(whole)
    for rows in (2, 5):
        done = subprocess.run([sys.executable, "-c", KILLED, images, parts, str(rows)], check=False)
        assert done.returncode == -signal.SIGKILL
    last = job(images)
    last.run(parts)
    assert last.resumed == 5
    for name in ("similarity.npy", "places.npy"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes()


def test_damaged_rows_and_other_inputs_are_computed_again(images, tmp_path):
    first = job(images)
    values, _ = first.run(tmp_path)
    expected = np.array(values)
    for damage, kept in (("row", 7), ("ledger", 7), ("file", 0), ("foreign", 0)):
        if damage == "row":
            spoiled = np.load(tmp_path / "similarity.npy", mmap_mode="r+")
            spoiled[3, 5] += 1
            spoiled.flush()
        elif damage == "ledger":  # cut off in the middle of its last line
            text = (tmp_path / "similarity.ledger").read_text()
            (tmp_path / "similarity.ledger").write_text(text[:-4])
        elif damage == "file":
            (tmp_path / "similarity.npy").write_bytes(b"no array")
        else:
            (tmp_path / "similarity.ledger").write_text("something else\n0 00000000\n")
        again = job(images)
        values, _ = again.run(tmp_path)
        assert again.resumed == kept
        assert np.array_equal(values, expected)


def counted_job(folder, run):
    """A job in a run folder; the images decoded and the pyramids made so far."""
    pool = scp.datasets.folder(folder)
    decoded, made = [], []
    grid, extractor = pool.grid, scp.GradientExtractor(size=(128, 128))
    pool.grid = lambda i, size: decoded.append(i) or grid(i, size)
    pyramid = extractor.pyramid
    extractor.pyramid = lambda image: made.append(1) or pyramid(image)
    found = Pool(pool, extractor, count=30, run=run)
    return (
        scp.SimilarityJob(found.image, len(pool), found.points, extractor, digest=found.digest),
        decoded,
        made,
    )


@pytest.fixture
def copied(images, tmp_path, monkeypatch):
    """The images as files that may be changed, all taken to be at rest."""
    monkeypatch.setattr(run_images, "AT_REST", -1 << 62)
    folder = tmp_path / "copied"
    folder.mkdir()
    for p in images.iterdir():
        cv2.imwrite(str(folder / f"{p.stem}.bmp"), cv2.imread(str(p), cv2.IMREAD_GRAYSCALE))
    return folder


def test_a_finished_run_is_not_computed_again(copied, tmp_path):
    first, decoded, made = counted_job(copied, tmp_path / "run")
    values, _ = first.run(tmp_path / "run")
    assert len(decoded) == 8 and len(made) == 8
    again, decoded, made = counted_job(copied, tmp_path / "run")
    assert np.array_equal(again.run(tmp_path / "run")[0], values)
    assert again.resumed == 8 and not decoded and not made


def test_an_unfinished_run_decodes_each_image_once(copied, tmp_path):
    expected, _ = counted_job(copied, tmp_path / "whole")[0].run(tmp_path / "whole")
    first, _, _ = counted_job(copied, tmp_path / "run")

    def stop(stage, done, total):
        if done == 8 + 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(tmp_path / "run", stop)
    again, decoded, made = counted_job(copied, tmp_path / "run")
    assert not decoded
    assert np.array_equal(again.run(tmp_path / "run")[0], expected)
    assert again.resumed == 3 and sorted(decoded) == list(range(8)) and len(made) == 8


@pytest.mark.parametrize("change", ["written", "same size and time", "replaced"])
def test_changed_images_are_noticed(copied, tmp_path, change):
    counted_job(copied, tmp_path / "run")[0].run(tmp_path / "run")
    path = copied / "p2.bmp"
    before = path.stat()
    other = 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if change == "replaced":
        cv2.imwrite(str(copied / "new.bmp"), other)
        os.replace(copied / "new.bmp", path)
    else:
        cv2.imwrite(str(path), other)
    if change == "same size and time":  # only the time of the change itself can tell
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert path.stat().st_size == before.st_size
    again, decoded, _ = counted_job(copied, tmp_path / "run")
    assert decoded == [2]
    values, _ = again.run(tmp_path / "run")
    assert again.resumed == 0
    expected, _ = counted_job(copied, tmp_path / "fresh")[0].run(tmp_path / "fresh")
    assert np.array_equal(values, expected)


def test_an_image_that_changes_during_a_resumed_run_is_named(copied, tmp_path):
    counted_job(copied, tmp_path / "run")
    again, decoded, _ = counted_job(copied, tmp_path / "run")
    assert not decoded
    path = copied / "p2.bmp"
    cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    with pytest.raises(scp.datasets.DatasetError, match=r"p2\.bmp: the image changed"):
        again.run(tmp_path / "run")


def test_images_just_written_and_damaged_memories_are_not_trusted(copied, tmp_path, monkeypatch):
    run = tmp_path / "run"
    counted_job(copied, run)
    whole = {name: (run / name).read_bytes() for name in ("images.json", "keypoints.npz")}
    for name, content in (
        ("images.json", b"{"),
        ("images.json", b'{"settings": 3}'),
        ("images.json", whole["images.json"].replace(b'"count": 30', b'"count": 31')),
        ("keypoints.npz", whole["keypoints.npz"][:-1]),
        ("keypoints.npz", b""),
    ):
        for other in whole:
            (run / other).write_bytes(whole[other])
        (run / name).write_bytes(content)
        _, decoded, _ = counted_job(copied, run)
        assert len(decoded) == 8
        assert {name: (run / name).read_bytes() for name in whole} == whole
    monkeypatch.setattr(run_images, "AT_REST", 1 << 62)
    counted_job(copied, tmp_path / "new")
    assert len(counted_job(copied, tmp_path / "new")[1]) == 8


def test_memory_limit_changes_nothing_but_time(images):
    free = job(images)
    tight = job(images)
    tight = scp.SimilarityJob(
        tight.image, tight.n, tight.points, tight.extractor, max_memory=tight.fixed_bytes()
    )
    assert np.array_equal(free.run()[0], tight.run()[0])
    estimate = free.estimate()
    assert estimate.memory >= free.fixed_bytes() and estimate.disk == 8 * 8 * free.offsets[-1]
    with pytest.raises(MemoryError, match="max_memory"):
        scp.SimilarityJob(tight.image, tight.n, tight.points, tight.extractor, max_memory=1000)


def test_both_directions_and_distances(images):
    j = job(images)
    values, _ = j.run()
    other, weights = scp.code_direction(values, j.offsets)
    most = int(np.diff(j.offsets).max())
    assert other.shape == (8, 8 * most) and abs(weights.sum() - 1) <= 1e-12
    t, x, k = 2, 5, 3
    assert other[t, x * most + k] == values[x, j.offsets[t] + k]
    assert len(scp.select(other, 2, weights=weights).selected) == 2
    d = scp.image_distances(values, j.offsets)
    assert np.array_equal(d, d.T) and not np.diag(d).any() and d.max() <= 1
