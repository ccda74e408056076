"""Studies of any data set: hands in the official layout, tables, COCO, folders; units, splits."""

import csv
import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from phantoms import write_cephalometric

import scp
from scp import datasets
from scp.cli import main
from scp.cli.reproduce.parts import PARTS
from scp.datasets import DatasetError
from scp.experiments import Options, Result, Study, fig1, load, paper, table1, units
from scp.experiments.costs import Costs

N = 6  # images to train and to test
QUICK = ["--features", "gradient", "--size", "64", "--views", "1", "--draws", "4", "--quiet"]


@pytest.fixture(scope="module")
def pool():
    """Phantoms with 37 landmarks, of different heights."""
    made = datasets.phantom(2 * N, seed=5, size=(120, 96))
    xy = np.concatenate([made.landmarks, made.landmarks[:, :18] + 1.5], axis=1)
    return made.with_landmarks(np.clip(np.round(xy, 1), 0, 95), [str(k) for k in range(37)])


def write(folder, pool, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(pool.ids):
        assert cv2.imwrite(str(folder / f"{name}{suffix}"), pool.image(i))


@pytest.fixture(scope="module")
def hands(pool, tmp_path_factory):
    """The official layout of the Digital Hand Atlas: all.csv and NUMBER.jpg."""
    root = tmp_path_factory.mktemp("atlas") / "hand"
    named = datasets.arrays(
        [pool.image(i) for i in range(len(pool))], [str(3142 + i) for i in range(len(pool))]
    )
    write(root, named, ".jpg")
    lines = [
        ",".join([name, *(f"{v:g}" for v in xy.ravel())])
        for name, xy in zip(named.ids, pool.landmarks, strict=True)
    ]
    (root / "all.csv").write_text("\n".join([*lines, "9999" + ",1" * 74]) + "\n")  # no image
    return root


@pytest.fixture(scope="module")
def table(pool, tmp_path_factory):
    """images/, landmarks.csv (wide), train.txt, val.txt; folds.csv, which must be asked for."""
    root = tmp_path_factory.mktemp("table")
    write(root / "images", pool)
    lines = [",".join(["image", *(f"{k}_{c}" for k in range(37) for c in "xy")])]
    folds = ["image,age,fold"]
    for i, name in enumerate(pool.ids):
        lines.append(",".join([name, *(f"{v:g}" for v in pool.landmarks[i].ravel())]))
        folds.append(f"{name},{20 + i},{'ab'[i % 2]}")
    (root / "landmarks.csv").write_text("\n".join(lines) + "\n")
    (root / "folds.csv").write_text("\n".join(folds) + "\n")
    (root / "train.txt").write_text("".join(f"{v}.png\n" for v in pool.ids[:N]))
    (root / "val.txt").write_text("".join(f"{v}.png\n" for v in pool.ids[N:]))
    return root


# ---- hands ----


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_table_1_of_hands_by_the_command(hands, tmp_path, capsys):
    argv = ["reproduce", "table1", "fig1", "--dataset", "hand", "--sizes", f"{N},{N}", *QUICK]
    argv += ["--root", str(hands.parent), "-m", "1,5"]
    assert main([*argv, "--run", str(tmp_path / "a")]) == 0
    text = capsys.readouterr().out
    assert "4.114 ± 3.566" in text and "2.635" in text  # the paper's, of hands
    assert "50 between landmarks 0 and 4 of the wrist ('wrist')" in text
    assert "< 2 mm" in text and "< 10 mm" in text and "table4" in text.splitlines()[-1]
    assert main([*argv, "--spacing", "payer", "--run", str(tmp_path / "b")]) == 0
    assert "50 between landmarks 1 and 5 of the wrist ('payer')" in capsys.readouterr().out
    own, other = (read(tmp_path / run / "reproduce" / "table1.csv") for run in "ab")
    keys = ("paper", "paper-others", "honest-eq3", "honest-agreeing")
    assert [(r["evaluation"], r["m"]) for r in own] == [(k, m) for k in keys for m in ("1", "5")]
    assert own[0]["paper_mre"] == "2.635" and own[-1]["paper_mre"] == "2.891"
    assert own[-1]["images"] == str(N)
    assert own[-1]["chosen"] == other[-1]["chosen"] and own[-1]["mre"] != other[-1]["mre"]
    assert main([*argv[:5], "--root", str(hands), *QUICK, "--evaluation", "paper"]) == 2
    assert "M = 50: the pool holds 12 images" in capsys.readouterr().err  # 1,5,10,15,50


def test_hands_are_measured_by_the_wrist_chosen(hands, tmp_path):
    """Both conventions, in the original pixels and as the released code does it on the grid."""
    errors = {}
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    for name, (a, b) in {"wrist": (0, 4), "payer": (1, 5)}.items():
        data = load("hand", hands, sizes=(N, N), spacing=name)
        assert data.numbers is paper.HANDS and data.radii == (2, 4, 7, 10)
        study = Study(data, extractor, tmp_path, Options(views=1))
        honest, grid = study.record("honest"), study.record("paper")
        truth, found = data.test.landmarks, honest.matches.xy[0, 0]
        width = np.linalg.norm(truth[:, a] - truth[:, b], axis=1)
        away = np.linalg.norm(found - truth, axis=2)
        np.testing.assert_allclose(honest.votes[0, 0], away * 50 / width[:, None])
        seen = data.train.landmarks * 64 / np.array([96, 120])
        seen = np.round(seen)
        width = np.linalg.norm(seen[:, a] - seen[:, b], axis=1)
        at = (grid.matches.xy[0, 0] + 0.5) * 64 / np.array([96, 120]) - 0.5
        away = np.linalg.norm(np.round(at) - seen, axis=2)
        np.testing.assert_allclose(grid.votes[0, 0], away * 50 / width[:, None])
        errors[name] = honest.mre([0])
    assert errors["wrist"] != errors["payer"]
    in_pixels = load("hand", hands, sizes=(N, N), unit="px")
    assert in_pixels.wrist is None and in_pixels.numbers is paper.NONE
    assert load("hand", hands, sizes=(N, N), spacing=0.2).test.spacing[0, 0] == 0.2
    with pytest.raises(DatasetError, match=r"none is left for split 'test'; see --sizes"):
        load("hand", hands)
    assert len(load("hand", hands, test=False).train) == 2 * N


def test_key_points_of_hands_are_found_as_in_the_released_code(hands, tmp_path):
    study = Study(load("hand", hands, sizes=(N, N)), scp.GradientExtractor(size=(64, 64)), tmp_path)
    assert study.keypoint_options["contrast_threshold"] == 0.01
    study.matrix()
    some = np.load(tmp_path / "keypoints.npz")["xy_grid"]
    image = study.data.train.grid(0, (64, 64))
    found = scp.keypoints.detect(image, **scp.keypoints.PRESETS["hand"]).xy
    assert len(found) and np.allclose(some[: len(found)], found, atol=1.0)


# ---- own images ----


def test_splits_of_a_table(table, pool, tmp_path):
    data = load("table", table)
    assert data.train.ids == [f"{v}.png" for v in pool.ids[:N]] and data.test_name == "val.txt"
    assert data.test.ids == [f"{v}.png" for v in pool.ids[N:]] and len(data.distinct) == N
    assert data.numbers is paper.NONE and data.unit.short == "px"
    by_column = load("table", table, splits=f"{table / 'folds.csv'}:fold", test_split="b")
    assert by_column.test.ids == [f"{v}.png" for v in pool.ids[1::2]]
    assert by_column.train.ids == [f"{v}.png" for v in pool.ids[::2]]  # all but b
    some = tmp_path / "some.txt"
    some.write_text(pool.ids[0] + "\n" + pool.ids[2] + "\n")
    assert len(load("table", table, train_split=some).train) == 2
    with pytest.raises(ValueError, match=r"is in train.txt and in some.txt \(2 such images\)"):
        load("table", table, test_split=some)
    with pytest.raises(ValueError, match="--test-split: 'c' is no file, no value of the column"):
        load("table", table, splits=f"{table / 'folds.csv'}:fold", test_split="c")
    with pytest.raises(DatasetError, match="no column 'split'"):
        load("table", table, splits=str(table / "folds.csv"))
    with pytest.raises(DatasetError, match="no such file"):
        load("table", table, splits="nowhere.csv:fold")


def test_images_that_are_twice_are_measured_once(table, pool, tmp_path):
    write(tmp_path / "train", pool.subset(range(4)))
    write(tmp_path / "val", pool.subset([4, 5, 6]))
    shown = cv2.imread(str(tmp_path / "train" / f"{pool.ids[2]}.png"))
    assert cv2.imwrite(str(tmp_path / "val" / f"{pool.ids[5]}.png"), shown)
    lines = ["image,landmark,x,y"]
    for part, rows in (("train", range(4)), ("val", (4, 5, 6))):
        for i in rows:
            for k in range(3):
                x, y = pool.landmarks[i, k]
                lines.append(f"{part}/{pool.ids[i]}.png,{k},{x:g},{y:g}")
    (tmp_path / "landmarks.csv").write_text("\n".join(lines) + "\n")
    data = load("folder", tmp_path)
    assert [len(data.train), len(data.test), data.distinct.tolist()] == [4, 3, [0, 2]]
    assert data.test_name == "val" and data.train.ids[0].startswith("train/")


def test_coco(pool, tmp_path):
    write(tmp_path / "images", pool.subset(range(4)))
    entries = [
        {"id": i, "image_id": i, "category_id": 1, "keypoints": [10 + i, 20, 2, 30, 40 + i, 2]}
        for i in range(3)  # the last image has no annotation
    ]
    names = {"id": 1, "name": "bone", "keypoints": ["p", "q"]}
    pictures = [
        {"id": i, "file_name": f"{v}.png", "width": 96, "height": 120}
        for i, v in enumerate(pool.ids[:4])
    ]
    content = {"images": pictures, "annotations": entries, "categories": [names]}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="which images are measured on"):
        load("coco", tmp_path)
    data = load("coco", tmp_path, test=False)
    assert len(data.train) == 3 and data.test is None
    (tmp_path / "test.txt").write_text(pool.ids[1])
    data = load("coco", tmp_path, unit=("p", "q"))
    assert data.test.ids == [f"{pool.ids[1]}.png"] and len(data.train) == 2
    assert data.unit.words.startswith("percent of the distance between landmarks p and q")


# ---- units ----


def test_units(table, tmp_path):
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    found = {}
    for unit in ("px", "side", "0,4"):
        data = load("table", table, unit=unit)
        study = Study(data, extractor, tmp_path, Options(views=1, draws=3))
        found[unit] = study.record("honest").votes[0, 0]
    truth = data.test.landmarks
    np.testing.assert_allclose(found["side"], found["px"] / 120 * 100)
    apart = np.linalg.norm(truth[:, 0] - truth[:, 4], axis=1)
    np.testing.assert_allclose(found["0,4"], found["px"] / apart[:, None] * 100)
    result = table1(study, [1, 2])
    assert "MRE SCP (%)" in result.text() and "the paper, SCP" not in result.text()
    assert {r["unit"] for r in result.records} == {"%"}
    pick = next(r for r in result.records if (r["m"], r["evaluation"]) == (1, "honest-eq3"))
    rows = [data.train.ids.index(pick["chosen"][0])]
    below = study.record("honest").errors(rows) < 5
    assert pick["sdr_5"] == pytest.approx(100 * below.mean())
    assert "of one template (%)" in str(fig1(study).figure)
    in_mm = load("table", table, spacing=0.2)
    assert in_mm.unit.short == "mm" and in_mm.numbers is paper.NONE
    np.testing.assert_allclose(
        Study(in_mm, extractor, tmp_path, Options(views=1)).record("honest").votes[0, 0],
        found["px"] * 0.2,
    )


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("mm", "mm per pixel are not known of all images"),
        ("cm", "--unit must be mm, px, side, or two landmarks"),
        ("0,99", "no landmark is called '99'"),
        ("3,3", "names one landmark twice"),
    ],
)
def test_units_that_are_none(table, unit, message):
    with pytest.raises(ValueError, match=message):
        load("table", table, unit=unit)


def test_a_distance_of_absent_landmarks(pool):
    xy = pool.landmarks.copy()
    xy[3, 4] = np.nan
    unit = units.unit_of("0,4", pool.with_landmarks(xy))
    with pytest.raises(ValueError, match=f"image {pool.ids[3]!r} are absent"):
        unit.of(pool.with_landmarks(xy))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--dataset", "table"], "--root: the folder of the images is needed"),
        (["--dataset", "table", "--root", "{}/images"], "no landmarks.csv or landmarks.json"),
        (["--dataset", "table", "--root", "{}", "--images", "3"], "--images: goes with"),
        (["--dataset", "hand", "--root", "{}", "--splits", "x"], "--splits: goes with"),
        (["--dataset", "coco", "--root", "{}", "--units", "px"], "--units goes with"),
        (["--root", "{}", "--spacing", "0.1"], "--spacing: goes with --dataset hand"),
        (["--dataset", "hand", "--root", "{}"], "no all.csv or setup/all.csv"),
        (["--dataset", "table", "--root", "{}", "-m", "7"], "M = 7: the pool holds 6 images"),
    ],
)
def test_errors(argv, message, table, tmp_path, capsys):
    argv = [word.format(table) for word in argv]
    assert main(["reproduce", "table1", *argv, *QUICK, "--run", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


# ---- all ----


@pytest.fixture
def nothing_is_made(monkeypatch):
    """The parts give empty results: what `all` plans and says is looked at."""
    made = []
    for name, part in PARTS.items():

        def make(job, name=name):
            made.append((name, job.args.dataset, job.args.evaluation, job.args.root))
            return Result(name, name)

        monkeypatch.setitem(PARTS, name, replace(part, make=make))
    return made


def test_all_finds_the_data_sets_and_says_what_each_part_takes(
    hands, tmp_path, capsys, nothing_is_made
):
    """Hands and cephalograms below one folder; the cephalograms have no test images."""
    root = tmp_path / "data"
    write_cephalometric(root / "isbi", datasets.phantom(5, size=(96, 80)))
    shutil.copytree(hands, root / "hand")
    run = tmp_path / "run"
    argv = ["reproduce", "all", "--root", str(root), "--run", str(run), *QUICK]
    assert main([*argv, "--sizes", f"{N},{N}", "-m", "2", "--refine-minutes", "0"]) == 0
    text = capsys.readouterr().out
    ours = [name for name, *_ in nothing_is_made if name != "table3"]
    heads = [("table1", "cephalometric", "paper", str(root)), ("table1", "hand", "both")]
    assert nothing_is_made[0] == heads[0] and nothing_is_made[-1][:3] == heads[1]
    assert nothing_is_made[-1][3] == str(root / "hand")
    assert "table2" not in ours and "fig4" not in ours and "table5" in ours
    assert "no honest evaluation" in text and "'test1' is missing" in text
    assert "of faces: no WFLW_annotations, or landmarks.csv beside images below" in text or (
        "table3" not in PARTS
    )
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert [name for name in ours if name in lines] == ours
    for folder in (run, run / "hand"):
        assert (folder / "reproduce" / "table1.md").is_file()
        assert f"table1.md{', ' if folder is run else ' in'}" in text
    assert text.count("together about") == 2 and "MiB" in text


def test_all_of_ones_own_images(table, tmp_path, capsys, nothing_is_made):
    argv = ["reproduce", "all", "--dataset", "table", "--root", str(table), "-m", "1", *QUICK]
    assert main([*argv, "--run", str(tmp_path)]) == 0
    names = [name for name, *_ in nothing_is_made]
    assert "table2" in names and "fig6" in names and "table3" not in names
    assert "\n  table6 " in capsys.readouterr().out


def test_landmarks_that_are_absent(pool, tmp_path):
    """An image without any is left out; a template without some says nothing of these."""
    lines = ["image,landmark,x,y"]
    for i, name in enumerate(pool.ids[:7]):
        part = "train" if i < 4 else "val"
        write(tmp_path / part, pool.subset([i]))
        for k in range(5):
            if i != 3 and (i != 1 or k == 0):
                x, y = pool.landmarks[i, k]
                lines.append(f"{part}/{name}.png,{k},{x:g},{y:g}")
    (tmp_path / "landmarks.csv").write_text("\n".join(lines) + "\n")
    data = load("folder", tmp_path)
    assert len(data.train) == 3 and "(left out, without landmarks: 1)" in data.name
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    study = Study(data, extractor, tmp_path / "run", Options(views=1, draws=3))
    errors = study.record("honest").errors([1])
    assert np.isfinite(errors[:, 0]).all() and np.isnan(errors[:, 1:]).all()
    assert all(np.isfinite(r["mre"]) for r in table1(study, [1, 2]).records)


def test_all_says_when_there_is_nothing(tmp_path, capsys):
    assert main(["reproduce", "all", "--root", str(tmp_path), *QUICK]) == 2
    out, err = capsys.readouterr()
    assert "no a folder" not in out and "not table1 of hand: no all.csv below" in out
    assert "nothing could be made" in err


def test_what_is_there_costs_nothing(hands, tmp_path):
    data = load("hand", hands, sizes=(N, N))
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    costs = Costs(data, Options(views=1), tmp_path, extractor)
    parts = [costs.similarity(), costs.paper(), costs.honest()]
    assert all(cost.seconds > 0 for cost in parts)
    assert parts[1].memory == 28 * N * N * 37
    study = Study(data, extractor, tmp_path, Options(views=1))
    study.cases(), study.matrix()
    again = Costs(data, Options(views=1), tmp_path, extractor)
    assert [c.seconds for c in (again.similarity(), again.paper(), again.honest())] == [0, 0, 0]


def test_a_unit_that_is_none():
    with pytest.raises(ValueError, match="kind must be mm, px, side or pair, got 'furlong'"):
        units.Unit("furlong")


@pytest.mark.parametrize("name", ["draws", "searches"])
def test_a_study_draws_something(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Options(**{name: 0})
