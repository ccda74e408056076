"""A run folder belongs to one data set."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from phantoms import write_cephalometric, write_images

import scp
from scp import cli
from scp.runs import OtherDatasetError, check_owner
from scp.runs.owner import RECORD, claim

SMALL = ["--size", "64", "--quiet"]
CHOICE = [*SMALL, "--count", "10", "--no-report", "--no-duplicates"]
FIRST, SECOND = (scp.datasets.phantom(6, seed=seed, size=(96, 80)) for seed in (1, 2))


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """a/images and b/images, other pictures under the same names; the working folder."""
    for name, pool in (("a", FIRST), ("b", SECOND)):
        (tmp_path / name).mkdir()
        write_images(tmp_path / name / "images", pool)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_usual_folder_of_another_data_set_is_left_alone(places, capsys):
    assert cli.main(["train", "a/images", "--steps", "1", *SMALL]) == 0
    assert cli.main(["select", "a/images", "-m", "1", *CHOICE]) == 0
    assert "the trained features" in capsys.readouterr().out
    before = contents(places / "runs/images")
    marks = places / "marks.csv"
    scp.write_landmarks(marks, scp.Landmarks(["001.png"], ["a"], [[[50.0, 60.0]]]))
    for k, words in enumerate(
        (
            ["select", "b/images", "-m", "1", *CHOICE],
            ["detect", "b/images", "--templates", "marks.csv", *SMALL],
            ["train", "b/images", "--steps", "1", *SMALL],
            ["refine", "b/images", "--templates", "marks.csv", "--steps", "1", *SMALL],
        )
    ):
        assert cli.main(words) == 0
        out, error = capsys.readouterr()
        note = f"note: runs/images belongs to another data set, {places}/a/images; this is "
        assert f"{note}runs/b-images\n" in error
        assert ("gradient" in out) == (k < 2)
    assert contents(places / "runs/images") == before
    assert (
        json.loads((places / "runs/b-images" / RECORD).read_text())["root"] == f"{places}/b/images"
    )
    shutil.copytree("a", "c/b")
    write_images(places / "c/b/images", scp.datasets.phantom(6, seed=3, size=(96, 80)))
    assert cli.main(["select", "c/b/images", "-m", "1", *CHOICE]) == 0
    assert "this is runs/images-3\n" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["select", "train", "detect", "refine"])
def test_a_folder_of_another_data_set_is_refused_with_the_next_step(places, capsys, verb):
    assert cli.main(["select", "a/images", "-m", "1", "--run", "r", *CHOICE]) == 0
    before = contents(places / "r")
    scp.write_landmarks("marks.csv", scp.Landmarks(["001.png"], ["a"], [[[50.0, 60.0]]]))
    capsys.readouterr()
    more = {"select": CHOICE, "train": ["--steps", "1", "--fresh", *SMALL]}
    words = more.get(verb, ["--templates", "marks.csv", *SMALL])
    assert cli.main([verb, "b/images", "--run", "r", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: r: this run folder belongs to another data set, {places}/a/im")
    assert "give another folder (--run" in line and "--model r/weights.safetensors" in line
    assert contents(places / "r") == before


def test_every_call_of_python_refuses_it(places):
    a, b = (scp.datasets.folder(places / name / "images") for name in "ab")
    features = scp.GradientExtractor(size=(64, 64), channels=16)
    scp.choose(a, 1, run="r", features=features, count=10, progress=False)
    before = contents(places / "r")
    for dataset in (b, SECOND, scp.datasets.arrays([np.zeros((99, 99), np.uint8)])):
        for call in (
            lambda dataset: scp.Run(dataset, "r"),
            lambda dataset: scp.choose(dataset, 1, run="r"),
            lambda dataset: scp.FeatureExtractor(size=(64, 64)).fit(dataset, steps=1, run="r"),
            lambda dataset: scp.keypoints.Pool(dataset, features, count=5, run="r"),
            lambda dataset: scp.LandmarkRefiner(size=(64, 64)).fit(
                dataset,
                scp.Landmarks(dataset.ids[:1], ["x"], [[[5.0, 5.0]]]),
                steps=1,
                run="r",
            ),
        ):
            with pytest.raises(OtherDatasetError, match="belongs to another data set"):
                call(dataset)
    assert contents(places / "r") == before


def moved(places):
    shutil.copytree("a/images", "elsewhere/radiographs")  # other times, other inodes
    return "elsewhere/radiographs"


def added(places):
    write_images(places / "a/images", SECOND, [f"more{i}" for i in range(6)])
    return "a/images"


def removed(places):
    for i in range(2, 6):
        os.unlink(f"a/images/{FIRST.ids[i]}.png")
    return "a/images"


def moved_and_changed(places):
    added(places)
    removed(places)
    return moved(places)


def other_pictures(places):
    shutil.rmtree("a/images")
    write_images(places / "a/images", SECOND, [f"x{i}" for i in range(6)])
    return "a/images"


@pytest.mark.parametrize("change", [moved, added, removed, moved_and_changed, other_pictures])
def test_the_same_data_set_is_known_again(places, change, capsys):
    assert cli.main(["select", "a/images", "-m", "1", "--run", "r", *CHOICE]) == 0
    folder = change(places)
    assert cli.main(["select", folder, "-m", "1", "--run", "r", *CHOICE]) == 0
    record = json.loads((places / "r" / RECORD).read_text())
    assert record["root"] == str((places / folder).resolve())


def test_the_same_images_as_another_kind_of_data_set(places):
    claim_folder("r", scp.datasets.folder("a/images"))
    xy = [[[5.0, 5.0]]] * 6
    names = [f"{name}.png" for name in FIRST.ids]
    scp.write_landmarks("m.csv", scp.Landmarks(names, ["x"], xy))
    check_owner("r", scp.datasets.table("m.csv", "a/images"))
    check_owner("r", scp.datasets.folder("a/images").subset([3, 4]))
    with pytest.raises(OtherDatasetError):
        check_owner("r", scp.datasets.table("m.csv", "b/images"))


def claim_folder(run, dataset):
    Path(run).mkdir(exist_ok=True)
    claim(run, dataset)


def test_splits_of_one_folder_are_different_data_sets(tmp_path):
    root = write_cephalometric(tmp_path / "ceph", FIRST)
    write_images(root / "RawImage/Test1Data", SECOND, [f"{i}" for i in range(151, 157)])
    for i in range(151, 157):
        for reader in ("400_junior", "400_senior"):
            shutil.copy(root / reader / f"{FIRST.ids[0]}.txt", root / reader / f"{i}.txt")
    train, test, both = (
        scp.datasets.cephalometric(root, split=split) for split in ("train", "test1", "all")
    )
    claim_folder(tmp_path / "r", train)
    check_owner(tmp_path / "r", both)
    with pytest.raises(OtherDatasetError, match=f"cephalometric {root}"):
        check_owner(tmp_path / "r", test)


def test_images_in_memory(tmp_path):
    claim_folder(tmp_path / "r", FIRST)
    check_owner(tmp_path / "r", scp.datasets.phantom(9, seed=1, size=(96, 80)))
    check_owner(tmp_path / "r", FIRST.subset([0, 1, 2]))
    with pytest.raises(OtherDatasetError, match="another data set, phantom without a folder"):
        check_owner(tmp_path / "r", SECOND)


def test_demos_of_other_images_have_their_own_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, folder in (("0", "demo"), ("1", "demo-2"), ("0", "demo")):
        words = ["demo", "-n", "4", "-m", "1", "--minutes", "0", "--no-report", "--seed", seed]
        assert cli.main([*words, "--count", "10", *SMALL]) == 0
        assert f"files in runs/{folder}\n" in capsys.readouterr().out


# ---- folders of earlier versions ----


def test_folders_without_a_record_are_adopted_when_their_files_agree(places):
    a, b = (scp.datasets.folder(places / name / "images") for name in "ab")
    features = scp.GradientExtractor(size=(64, 64), channels=16)
    settings = {"features": features, "count": 10, "progress": False}
    scp.choose(a, 1, run="r", **settings)
    Path("r", RECORD).unlink()
    config = Path("r/config.toml").read_text()
    # the folder that config.toml names
    Path("r/images.json").unlink()
    check_owner("r", a)
    scp.Run(a, "r", **settings).select(1)
    assert Path("r", RECORD).is_file()
    # the images that images.json names, which were moved or are others
    for agree in (True, False):
        Path("r", RECORD).unlink(missing_ok=True)
        Path("r/config.toml").write_text(config)
        sizes = [os.path.getsize(b.path(i)) + (not agree) for i in range(len(b))]
        entries = [
            {"id": name, "stamp": [size, 1, 1, 1], "sha256": "0"}
            for name, size in zip(b.ids, sizes, strict=True)
        ]
        Path("r/images.json").write_text(json.dumps({"images": entries}))
        if agree:
            check_owner("r", b)
        else:
            with pytest.raises(OtherDatasetError, match="a/images"):
                check_owner("r", b)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"format": "scp run folder"}', b"\xff\xfe", b"[" * 100_000, b"null"],
)
def test_a_record_that_cannot_be_read_is_written_again(places, text):
    a = scp.datasets.folder("a/images")
    claim_folder("r", a)
    Path("r", RECORD).write_bytes(text)
    claim("r", a)
    assert json.loads(Path("r", RECORD).read_text())["kind"] == "folder"


def test_a_root_that_is_no_unicode_is_named_before_the_work(places):
    odd = os.fsdecode(b"a\xff")
    try:
        os.rename("a/images", odd)
    except OSError:
        pytest.skip("this file system wants UTF-8")
    with pytest.raises(ValueError, match=r"the name is not UTF-8 text"):
        scp.choose(scp.datasets.folder(odd), 1, run="r")
    assert not os.path.exists("r") or os.listdir("r") == []
