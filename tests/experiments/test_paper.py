"""The paper's tables and figures: statistics known by hand, and everything on small phantoms."""

import csv
import math
import shlex
import shutil

import numpy as np
import pytest
from phantoms import write_cephalometric

import scp
from scp.cli import main
from scp.detection import Matches
from scp.experiments import Options, Result, Study, Table, load, paper, records, table1, table5
from scp.experiments.data import distinct_rows
from scp.experiments.records import Record
from scp.experiments.statistics import random_subsets, shares, spread
from scp.runs import RunFolder

N = 6  # phantoms of each part


# ---- statistics ----


def test_all_sets_where_there_are_few():
    assert random_subsets(4, 1).tolist() == [[0], [1], [2], [3]]
    sets = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert random_subsets(4, 2, draws=6).tolist() == sets
    assert len(random_subsets(4, 2, draws=5)) == 5


def test_random_sets_are_sets_and_repeat():
    sets = random_subsets(100, 5, 2000, random_state=3)
    assert sets.shape == (2000, 5) and (np.diff(sets, axis=1) > 0).all()
    assert np.array_equal(sets[:50], random_subsets(100, 5, 50, random_state=3))
    assert not np.array_equal(sets[:50], random_subsets(100, 5, 50, random_state=4))
    assert len(np.unique(sets, axis=0)) > 1990
    # each image is in 5 % of the sets: 100 times, with a deviation of sqrt(95)
    assert np.abs(np.bincount(sets.ravel(), minlength=100) - 100).max() < 50


@pytest.mark.parametrize("m", [0, 5])
def test_sets_that_do_not_exist(m):
    with pytest.raises(ValueError, match=f"M = {m}"):
        random_subsets(4, m)


def test_spread_by_hand():
    s = spread([2.0, 1.0, 6.0, 3.0])
    assert (s.mean, s.low, s.high, s.first_low, s.first_high) == (3.0, 1.0, 6.0, 1, 2)
    assert s.sd == pytest.approx(math.sqrt((1 + 4 + 9 + 0) / 4), abs=1e-12)  # of the population
    assert s.share_below(3.0) == 50.0  # strictly
    with pytest.raises(ValueError, match="finite"):
        spread([1.0, float("nan")])


def test_shares_of_the_papers_bins():
    part = shares([2.0, 3.0, 3.05, 9.0], paper.FIG1_EDGES)
    assert len(part) == 16
    assert (part[0], part[1], part[-1]) == (0.5, 0.25, 0.25)  # up to 3.0; 3.0 .. 3.1; above 4.4
    assert part.sum() == 1.0


def test_the_papers_gain():
    assert paper.TABLE1[1].gain == pytest.approx(14.2, abs=0.05)
    assert paper.TABLE1[5].gain == pytest.approx(9.8, abs=0.05)


# ---- records ----


def by_hand(way="original", own=(-1, -1)):
    """Two templates, two images of 40 x 40 pixels, one landmark at (10, 10), (sy, sx) = (1, .5)."""
    xy = np.array([[[[[10.0, 14]], [[10, 10]]]], [[[[16, 10]], [[16, 18]]]]])  # [2][1][2][1][2]
    similarity = np.array([[[[0.5], [0.9]]], [[[0.5], [0.3]]]], np.float32)
    matches = Matches(xy, similarity, np.ones((2, 2), bool), np.ones(2), np.ones(1))
    return Record(
        matches,
        np.full((2, 1, 2), 10.0),
        np.tile([1.0, 0.5], (2, 1)),
        np.full((2, 2), 40),
        (20, 20),
        way,
        np.array(own),
    )


def test_errors_of_sets():
    r = by_hand()
    far = math.sqrt(8**2 + 3**2)  # 8 pixels down, 6 across
    assert r.votes.ravel() == pytest.approx([4.0, 0.0, 3.0, far])
    assert r.mre([0]) == 2.0 and r.mre([1]) == pytest.approx((3 + far) / 2)
    # equal similarity in the first image: the first of the set; then template 0 is more similar
    assert r.errors([0, 1]).ravel() == pytest.approx([4.0, 0.0])
    assert r.errors([1, 0]).ravel() == pytest.approx([3.0, 0.0])
    away = 0.3**8 / (0.3**8 + 0.9**8)
    assert r.errors([0, 1], "weighted").ravel() == pytest.approx([2.5, far * away], rel=1e-5)
    assert r.similarity([0, 1]) == pytest.approx(0.7) and r.similarity([1]) == pytest.approx(0.4)


def test_errors_on_the_grid():
    # truth int(10 * 20 / 40) = 5; (10.5, 14.5) * .5 - .5 = (4.75, 6.75) -> (5, 7); 2 mm, 1 mm
    r = by_hand("grid")
    assert r.votes.ravel() == pytest.approx([4.0, 0.0, 3.0, math.hypot(3.0, 8.0)])


def test_without_the_templates_themselves():
    r = by_hand(own=(0, 1))
    assert r.mre([0], others=True) == 0.0 and r.mre([1], others=True) == 3.0
    assert r.similarity([0], others=True) == pytest.approx(0.9)
    assert math.isnan(r.mre([0, 1], others=True))  # nothing is left


def test_distinct_test_images():
    pairs = [("001", "004"), ("005", "006"), ("001", "002")]
    assert distinct_rows(["001", "002"], ["003", "004", "005", "006"], pairs).tolist() == [0, 2]


# ---- output ----


def test_table_and_files(tmp_path):
    table = Table("title", ("M", "MRE"), [(1, "2.500"), (10, "-")])
    assert table.markdown().splitlines()[2:] == [
        "| M | MRE |",
        "| --- | ---: |",
        "| 1 | 2.500 |",
        "| 10 | - |",
    ]
    assert table.text() == "title\n  M     MRE\n  1   2.500\n  10      -\n"
    result = Result("x", "X", [table], [{"a": 0.1234567, "b": ["u", "v"], "c": None}])
    assert result.csv() == "a,b,c\n0.123457,u v,\n"
    assert result.write(RunFolder(tmp_path)) == ["x.md", "x.csv"]
    assert (tmp_path / "x.md").read_text().startswith("# X\n\n**title**\n")


# ---- studies of phantoms ----


@pytest.fixture(scope="module")
def extractor():
    return scp.GradientExtractor(size=(96, 96), channels=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def study(extractor, folder):
    return Study(load("phantom", images=N), extractor, RunFolder(folder), Options(draws=5))


def test_table1_is_what_its_parts_say(study):
    result = table1(study, [1, 2])
    rows = {(r["m"], r["evaluation"]): r for r in result.records}
    cases = {case.key: case for case in study.cases()}
    assert list(cases) == ["paper", "paper-others", "honest-eq3", "honest-agreeing"]
    assert set(rows) == {(m, key) for m in (1, 2) for key in cases}
    for key, case in cases.items():
        single = [case.mre([t]) for t in range(N)]
        row = rows[1, key]
        assert row["mre_random_mean"] == pytest.approx(np.mean(single), abs=1e-12)
        assert row["mre_random_sd"] == pytest.approx(np.std(single), abs=1e-12)
        assert (row["mre_best"], row["mre_worst"]) == (min(single), max(single))
        pick = int(np.argmax(study.scores()))
        assert row["chosen"] == [study.ids[pick]] and row["mre"] == single[pick]
        assert rows[2, key]["score"] <= rows[2, key]["upper_bound"]
    assert rows[1, "paper"]["mre_low"] <= rows[1, "paper"]["mre"] <= rows[1, "paper"]["mre_high"]
    assert [t.title for t in result.tables][1] == "the paper, cephalograms (mm)"
    # the templates themselves make the paper's way look better
    assert rows[1, "paper"]["mre_random_mean"] < rows[1, "paper-others"]["mre_random_mean"]


def test_paper_record_is_matching_as_in_the_code(study, extractor):
    train = study.data.train
    found = scp.match_templates(extractor, train, train, "paper").xy[:, 0]
    grid = (found + 0.5) * 96 / np.array([384, 480]) - 0.5
    assert np.abs(grid - 2 * np.round(grid / 2)).max() < 1e-6  # upper left pixels of 2 x 2
    errors = scp.metrics.paper_errors(found, train.landmarks, (480, 384), train.spacing, size=96)
    assert np.array_equal(study.record("paper").votes[:, 0], errors)
    assert study.record("paper").similarity([0]) > study.record("paper").similarity([0], True)


def test_matches_are_kept_and_belong_to_their_features(study, extractor, folder, monkeypatch):
    first = study.record("honest")

    def refuse(*_, **__):
        raise AssertionError("matched again")

    monkeypatch.setattr(records, "match_templates", refuse)
    again = Study(load("phantom", images=N), extractor, RunFolder(folder)).record("honest")
    assert np.array_equal(first.votes, again.votes)
    other = scp.GradientExtractor(size=(96, 96), channels=32)
    with pytest.raises(AssertionError, match="matched again"):
        Study(load("phantom", images=N), other, RunFolder(folder)).record("honest")
    (folder / "reproduce" / "matches-honest.npz").write_bytes(b"PK damaged")
    with pytest.raises(AssertionError, match="matched again"):
        Study(load("phantom", images=N), extractor, RunFolder(folder)).record("honest")


def test_table5_searches_and_key_points(study):
    result = table5(study, 2, searches=[1, 3, 100], seeds=2)
    part = {r["setting"]: r for r in result.records if r["part"] == "searches"}
    values, weights = study.matrix()
    found = [
        scp.select(
            values,
            2,
            weights=weights,
            method="random",
            draws=100,
            random_state=s,
            checkpoints=[1, 3],
        ).history
        for s in (0, 1)
    ]
    for k, draws in enumerate((1, 3, 100)):
        assert part[draws]["score"] == pytest.approx(np.mean([h[k][1] for h in found]), abs=1e-12)
    assert part["exact"]["score"] >= max(part["swap"]["score"], part[100]["score"]) - 1e-9
    counts = [r for r in result.records if r["part"] == "key points, count"]
    assert [r["setting"] for r in counts] == [50, 75, 100, 150]
    assert len([r for r in result.records if r["part"] == "key points, distance"]) == 4


def test_key_points_of_a_part_are_those_of_the_whole(study):
    problem = study.keypoint_matrices([400], [100])["count", 100]
    values, weights = study.matrix()
    assert np.array_equal(problem.values, values) and np.array_equal(problem.weights, weights)


def test_choices_of_the_released_code(extractor, tmp_path):
    data = load("phantom", images=N)

    def of(**options):
        return Study(data, extractor, RunFolder(tmp_path), Options(**options))

    values = of().matrix()[0]
    counts = np.diff(np.load(tmp_path / "keypoints.npz")["offsets"])
    assert of(direction="code").matrix()[0].shape == (N, N * counts.max())
    without = of(candidates="without-first")
    assert 0 not in without.picks([N - 1])[N - 1].selected
    first = of(keypoints_of="first")
    shared = first.matrix()[0]
    assert shared.shape == (N, N * counts[0])
    assert np.array_equal(shared[:, : counts[0]], values[:, : counts[0]])
    assert (
        len(
            of(
                direction="code", candidates="without-first", keypoints_of="first"
            ).options.of_the_code()
        )
        == 3
    )
    with pytest.raises(ValueError, match="direction must be one of paper, code"):
        Options(direction="back")


# ---- the command ----

SMALL = ["--dataset", "phantom", "--images", str(N), "--features", "gradient", "--size", "96"]


def test_everything_by_the_command(tmp_path, capsys):
    run = tmp_path / "run"
    argv = [
        "reproduce",
        "all",
        *SMALL,
        "--run",
        str(run),
        "-m",
        "1,2",
        "--draws",
        "4",
        "--seeds",
        "2",
        "--refine-minutes",
        "0.005",
        *(f"--{k}-set={v}" for k in ("vaal", "instances") for v in ("size=16", "steps=2")),
        "--active-widths=8,8",
        "--quiet",
    ]
    assert main(argv) == 0
    text = capsys.readouterr().out
    assert "6 phantoms: 6 images to choose from, 6 to measure on; into " in text
    assert "\n  table5 " in text and "together about" in text
    names = [*(f"table{k}" for k in (1, 2, 4, 5, 6)), *(f"fig{k}" for k in (1, 4, 5, 6))]
    for name in names:
        with (run / "reproduce" / f"{name}.csv").open() as file:
            assert list(csv.DictReader(file))
        assert (run / "reproduce" / f"{name}.md").stat().st_size > 0
        if name.startswith("fig"):
            assert b"<svg" in (run / "reproduce" / f"{name}.svg").read_bytes()
    assert "3.083" in text
    assert f"{', '.join(f'{name}.md' for name in names)} in {run}" in text
    with (run / "reproduce" / "table2.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["method"].split(",")[0] for r in rows} == {"matching", "refined"}
    assert {r["evaluation"] for r in rows} == {"honest", "paper"}
    before = {p.name: p.read_bytes() for p in (run / "reproduce").iterdir() if p.is_file()}
    assert main(argv) == 0  # again, from what is kept: the same files to the last bit
    after = {p.name: p.read_bytes() for p in (run / "reproduce").iterdir() if p.is_file()}
    changed = [name for name in before if after[name] != before[name]]
    assert not changed
    # other templates: the network is taught anew
    made = (run / "reproduce" / "refined-1" / "made-of.json").read_text()
    again = [
        "reproduce",
        "table2",
        *SMALL,
        "--run",
        str(run),
        "-m",
        "1",
        "--refine-minutes",
        "0.005",
        "--keypoints-of",
        "first",
        "--direction",
        "code",
        "--quiet",
    ]
    assert main(again) == 0
    assert ((run / "reproduce" / "refined-1" / "made-of.json").read_text() == made) == (
        _chosen(run) == [r["chosen"] for r in rows if r["m"] == "1"]
    )


def test_networks_that_see_the_labels_alone(tmp_path, capsys):
    argv = ["reproduce", "table2", *SMALL, "--images", "2", "-m", "1", "--refine-minutes", "0"]
    argv += ["--scn", "unet", "--scn-steps", "1", "--quiet", "--run", str(tmp_path)]
    assert main(argv) == 0
    assert "M = 1, unet, labels alone, 1 steps (reduced)" in capsys.readouterr().out
    with (tmp_path / "reproduce" / "table2.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["m"] for r in rows if r["method"].startswith("unet")} == {"1", "2"}  # and of all


def test_the_command_names_what_is_not_made(tmp_path, capsys):
    run, options = str(tmp_path / "run"), ["--evaluation", "honest", "--views", "1"]
    assert main(["reproduce", "fig1", *SMALL, *options, "--run", run, "--quiet"]) == 0
    hint = capsys.readouterr().out.splitlines()[-1]
    made = ["table1", "table4", "table5", "fig4", "fig5", "fig6"]  # 2: M = 25; 6: few for VAAL
    assert shlex.split(hint) == ["scp", "reproduce", *made, *SMALL, *options, "--run", run]


def _chosen(run):
    with (run / "reproduce" / "table2.csv").open() as file:
        return [r["chosen"] for r in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["table1", *SMALL, "-m", "7"], "M = 7: the pool holds 6 images"),
        (["table2", *SMALL], "M = 25: the pool holds 6 images"),
        (["fig4", *SMALL, "--evaluation", "paper"], "fig4 shows test images"),
        (["fig1", *SMALL[:-4], "--minutes", "0"], "--minutes must be above 0"),
        (["table1"], "--root"),
        (["table1", "--dataset", "phantom", "--root", "x"], "--root"),
        (["table1", "--root", "nowhere"], "nowhere: no such folder"),
        (["table1", "--root", "nowhere", "--images", "5"], "--images"),
        (["table1", *SMALL, "--seeds", "10"], "--seeds has no effect without table"),
        (["table1", *SMALL, "--rounds", "1"], "--rounds has no effect without table2"),
        (["table2", *SMALL, "--refine-minutes", "0", "--rounds", "2"], "--rounds has no effect"),
        (["table5", *SMALL, "--searches", "9"], "--searches has no effect"),
        (["table1", *SMALL, "--max-nodes", "9"], "--max-nodes has no effect"),
        (["fig1", *SMALL, "--draws", "9"], "--draws has no effect"),
        (["fig1", "fig5", *SMALL, "-m", "2"], "-m has no effect in fig1, fig5"),
        (["table1", *SMALL, "--minutes", "9"], "--minutes has no effect"),
        (["table1", *SMALL, "--preset", "paper"], "--preset has no effect"),
    ],
)
def test_errors(extra, message, tmp_path, capsys):
    assert main(["reproduce", *extra, "--run", str(tmp_path / "run"), "--quiet"]) == 2
    assert message in capsys.readouterr().err


def cephalograms(root, landmarks=True):
    """Three training images in the official layout; no Test1."""
    write_cephalometric(root, scp.datasets.phantom(3, size=(96, 80)))
    if not landmarks:
        for reader in ("400_junior", "400_senior"):
            shutil.rmtree(root / reader)
    return str(root)


def test_cephalograms_without_test_images_or_landmarks(tmp_path, capsys):
    root = cephalograms(tmp_path / "a")
    argv = [
        "reproduce",
        "fig1",
        "--root",
        root,
        "--features",
        "gradient",
        "--size",
        "96",
        "--run",
        str(tmp_path / "run"),
        "--quiet",
    ]
    assert main(argv) == 2
    assert "'test1' is missing" in capsys.readouterr().err
    assert main([*argv, "--evaluation", "paper"]) == 0
    assert "as the paper: 3 training images" in capsys.readouterr().out
    argv[3] = cephalograms(tmp_path / "b", landmarks=False)
    assert main([*argv, "--evaluation", "paper"]) == 2
    assert "no landmarks" in capsys.readouterr().err
