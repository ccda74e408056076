"""scp select and scp demo, as a user runs them, and errors as a user meets them."""

import json
import signal
import subprocess
import sys
import time
import tomllib

import cv2
import numpy as np
import pytest

import scp
from scp import cli

SMALL = ["--size", "128", "--count", "30", "--quiet"]


def test_select_writes_the_documented_files(images, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(["select", str(images), "-m", "3", "--run", str(run), *SMALL]) == 0
    text = capsys.readouterr().out
    assert "Annotate these 3" in text and "report.html" in text
    assert sorted(p.name for p in run.iterdir()) == [
        "config.toml",
        "dataset.json",
        "images.json",
        "keypoints.npz",
        "marks.csv",
        "places.npy",
        "proof.npz",
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
        (["select", "IMAGES", "--share", "x"], "--share has no effect without --dask"),
        (["detect", "IMAGES", "--dask", "x", "--task-images", "0"], "--task-images must be"),
        (["select", "IMAGES", "--dataset", "cephalometric"], "RawImage"),
        (["select", "IMAGES", "--seed", "0"], "--seed has no effect where neither"),
        (["select", "IMAGES", "--max-nodes", "9"], "--max-nodes has no effect"),
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
    extractor = scp.GradientExtractor(size=(128, 128), channels=16)
    (warning,) = scp.choose(pool, 1, features=extractor, count=10, duplicates=False).warnings
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
def test_real_radiographs(real_data, tmp_path, capsys):
    arguments = [
        "select",
        str(real_data("cephalometric")),
        "--dataset",
        "cephalometric",
        "--split",
        "train",
    ]
    run = ["--run", str(tmp_path), "--quiet", "--no-duplicates"]
    assert cli.main([*arguments, "-m", "5", "--method", "exact", *run]) == 0
    answer = json.loads((tmp_path / "selection.json").read_text())
    assert answer["images"] == 150 and len(answer["selected"]) == 5 and answer["proven"]
    values = np.load(tmp_path / "similarity.npy", mmap_mode="r")
    assert ((values >= 0) & (values <= 1)).all()
