"""From images to files: resumption, the command line, and errors as a user meets them."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

import scp
from scp import cli
from scp.keypoints import Pool
from scp.runs import RunFolder
from scp.runs import images as run_images

DATA = Path(os.environ.get("SCP_DATA") or Path(__file__).parents[3] / "shared" / "data")
CEPHALOMETRIC = DATA if (DATA / "RawImage").is_dir() else DATA / "cephalometric"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of 8 small phantom radiographs."""
    folder = tmp_path_factory.mktemp("images")
    pool = scp.datasets.phantom(8, seed=3, size=(240, 192))
    for i in range(8):
        cv2.imwrite(str(folder / f"p{i}.png"), pool.image(i))
    return folder


SMALL = ["--size", "128", "--count", "30", "--quiet"]


def job(images, points=None):
    pool = scp.datasets.folder(images)
    found = Pool(pool, scp.GradientExtractor((128, 128)), count=30)
    return scp.SimilarityJob(found.image, len(pool), found.points, found.extractor)


def test_select_writes_the_documented_files(images, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(["select", str(images), "-m", "3", "--run", str(run), *SMALL]) == 0
    text = capsys.readouterr().out
    assert "Annotate these 3" in text and "report.html" in text
    assert sorted(p.name for p in run.iterdir()) == [
        "config.toml",
        "images.json",
        "keypoints.npz",
        "places.npy",
        "report.html",
        "selection.json",
        "similarity.ledger",
        "similarity.npy",
    ]
    answer = json.loads((run / "selection.json").read_text())
    points = np.load(run / "keypoints.npz")
    values = np.load(run / "similarity.npy")
    offsets = points["offsets"]
    assert values.shape == (8, offsets[-1]) and values.dtype == np.float32
    assert points["xy"].shape == (offsets[-1], 2) == points["xy_grid"].shape
    weights = scp.client_weights(offsets)
    rows = [s["index"] for s in answer["selected"]]
    assert [s["id"] for s in answer["selected"]] == [f"p{r}.png" for r in rows]
    assert abs(weights @ values[rows].max(0) - answer["score"]) <= 1e-9
    assert answer["score"] <= answer["upper_bound"] and answer["version"] == 1
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["features"]["size"] == [128, 128]
    for n in range(8):  # a key point is best matched by itself
        own = values[n, offsets[n] : offsets[n + 1]]
        assert (own >= 0.6).all()


def test_json_and_curve(images, tmp_path, capsys):
    arguments = ["select", str(images), "-m", "1-3", "--json", "--run", str(tmp_path), *SMALL]
    assert cli.main([*arguments, "--method", "exact", "--no-report"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [c["m"] for c in answer["curve"]] == [1, 2, 3] and answer["proven"]


def test_rules_by_id(images, tmp_path, capsys):
    costs, groups = tmp_path / "costs.csv", tmp_path / "groups.csv"
    costs.write_text("".join(f"p{i}.png,{1 + i % 2}\n" for i in range(8)))
    groups.write_text("".join(f"p{i}.png,{i // 2}\n" for i in range(8)))
    arguments = ["select", str(images), "-m", "2", "--run", str(tmp_path / "r"), "--json", *SMALL]
    assert (
        cli.main(
            [
                *arguments,
                "--include",
                "p4.png",
                "--exclude",
                "p0.png,p1.png",
                "--initial",
                "p2.png",
                "--costs",
                str(costs),
                "--budget",
                "5",
                "--groups",
                str(groups),
                "--no-report",
            ]
        )
        == 0
    )
    chosen = [s["index"] for s in json.loads(capsys.readouterr().out)["selected"]]
    assert 4 in chosen and not {0, 1, 2} & set(chosen)
    assert len({i // 2 for i in chosen} | {1}) == 3
    assert sum(1 + i % 2 for i in chosen) <= 5
    arguments[arguments.index("-m") + 1] = "any"
    assert cli.main([*arguments, "--costs", str(costs), "--budget", "4", "--no-report"]) == 0
    chosen = [s["index"] for s in json.loads(capsys.readouterr().out)["selected"]]
    assert chosen and sum(1 + i % 2 for i in chosen) <= 4
    arguments += ["--method", "random", "--draws", "300", "--costs", str(costs), "--budget", "4"]
    assert cli.main([*arguments, "--no-report"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["history"] and answer["score"] <= answer["upper_bound"]
    assert 0 < sum(1 + s["index"] % 2 for s in answer["selected"]) <= 4


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["select", "/nowhere"], "/nowhere"),
        (["select", "IMAGES", "-m", "99"], "m must be 1 to 8"),
        (["select", "IMAGES", "--include", "nobody.png"], "no image is called 'nobody.png'"),
        (["select", "IMAGES", "--costs", "x.csv"], "--costs and --budget go together"),
        (["select", "IMAGES", "--size", "100"], "size must be two multiples of 32"),
        (["select", "IMAGES", "--max-memory", "1M"], "max_memory"),
        (["select", "IMAGES", "--dataset", "cephalometric"], "RawImage"),
        (["demo", "-n", "1"], "-n must be at least 2"),
    ],
)
def test_errors_are_one_line(images, tmp_path, capsys, arguments, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main([str(images) if a == "IMAGES" else a for a in arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and text in error


def test_unreadable_files_are_named_or_skipped(images, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for p in images.iterdir():
        (folder / p.name).write_bytes(p.read_bytes())
    (folder / "broken.png").write_bytes((folder / "p0.png").read_bytes()[:500])
    (folder / "blank.png").write_bytes(cv2.imencode(".png", np.full((99, 99), 7, np.uint8))[1])
    run = ["--run", str(tmp_path / "r"), *SMALL]
    assert cli.main(["select", str(folder), "-m", "2", *run]) == 2
    assert "broken.png" in capsys.readouterr().err
    assert cli.main(["select", str(folder), "-m", "2", "--on-error", "skip", *run]) == 0
    error = capsys.readouterr().err
    assert "left out: 1 entry of the data set, broken.png: " in error and "no key points" in error
    assert "broken.png" in (tmp_path / "r" / "report.html").read_text()


def test_a_warning_names_why_an_image_was_left_out(images, tmp_path):
    lines = [f"{p.name},sella,3,4" for p in sorted(images.iterdir())[2:]]
    (tmp_path / "m.csv").write_text("\n".join(["image,landmark,x,y", *lines, "gone.png,sella,1,1"]))
    pool = scp.datasets.table(tmp_path / "m.csv", images, unmatched="skip")
    extractor = scp.GradientExtractor((128, 128), channels=16)
    (warning,) = scp.choose(pool, 1, extractor=extractor, count=10, duplicates=False).warnings
    assert warning.startswith("left out: 3 entries of the data set, first gone.png: ")
    assert "no image 'gone.png' below" in warning and "read" not in warning


def test_duplicates_are_warned_of(images, tmp_path, capsys):
    folder = tmp_path / "twice"
    folder.mkdir()
    for p in images.iterdir():
        (folder / p.name).write_bytes(p.read_bytes())
    (folder / "copy.png").write_bytes((folder / "p5.png").read_bytes())
    assert cli.main(["select", str(folder), "-m", "2", "--run", str(tmp_path / "r"), *SMALL]) == 0
    assert "copy.png = p5.png" in capsys.readouterr().err


KILLED = """
import os, sys, scp
from scp.keypoints import Pool
pool = scp.datasets.folder(sys.argv[1])
found = Pool(pool, scp.GradientExtractor((128, 128)), count=30)
job = scp.SimilarityJob(found.image, len(pool), found.points, found.extractor)
def progress(done, total):
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
    grid, extractor = pool.grid, scp.GradientExtractor((128, 128))
    pool.grid = lambda i, size: decoded.append(i) or grid(i, size)
    pyramid = extractor.pyramid
    extractor.pyramid = lambda image: made.append(1) or pyramid(image)
    found = Pool(pool, extractor, count=30, folder=RunFolder(run))
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

    def stop(done, total):
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


def test_ctrl_c_stops_and_resumes(images, tmp_path):
    command = [
        sys.executable,
        "-m",
        "scp",
        "select",
        str(images),
        "-m",
        "2",
        "--run",
        str(tmp_path),
    ]
    process = subprocess.Popen([*command, "--size", "384"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "similarity.ledger").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have been faster than the signal
        assert process.returncode == 130 and "goes on from here" in error
    assert subprocess.run([*command, "--size", "384", "--quiet"], check=False).returncode == 0


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


def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "-n", "6", "-m", "2", "--minutes", "0.02", *SMALL]) == 0
    assert "the trained features at 128 x 128" in capsys.readouterr().out
    again = ["demo", "-n", "7", "-m", "2", "--minutes", "0.01", "--no-report", *SMALL]
    assert cli.main(again) == 0
    assert "training anew" in capsys.readouterr().err
    assert (tmp_path / "runs" / "demo" / "report.html").stat().st_size > 10_000
    found = scp.read_landmarks(tmp_path / "runs" / "demo" / "landmarks.csv")
    assert found.xy.shape == (7, 19, 2) and found.confidence.max() <= 1
    assert cli.main(["info"]) == 0
    assert "instruction set" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(
    not (CEPHALOMETRIC / "RawImage").is_dir(),
    reason=f"the ISBI 2015 cephalograms are not at {CEPHALOMETRIC}; set SCP_DATA",
)
def test_real_radiographs(tmp_path, capsys):
    arguments = ["select", str(CEPHALOMETRIC), "--dataset", "cephalometric", "--split", "train"]
    run = ["--run", str(tmp_path), "--quiet", "--no-duplicates"]
    assert cli.main([*arguments, "-m", "5", "--method", "exact", *run]) == 0
    answer = json.loads((tmp_path / "selection.json").read_text())
    assert answer["images"] == 150 and len(answer["selected"]) == 5 and answer["proven"]
    values = np.load(tmp_path / "similarity.npy", mmap_mode="r")
    assert ((values >= 0) & (values <= 1)).all()
