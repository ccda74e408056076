"""Table 4: trainings of several objectives on phantoms, and other key points."""

import csv

import numpy as np
import pytest

import scp
from scp import experiments
from scp.cli import main
from scp.experiments import Options, Study, Trainings, objectives, paper, table4
from scp.runs import RunFolder

N = 5
TINY = Trainings(
    steps=3,
    seeds=2,
    size=(64, 64),
    network={"encoder": [16, 16, 16], "depths": [0, 1, 1], "decoder": [16, 16], "channels": 16},
    training={"batch": 2, "points": 8, "hidden": 8},
)


@pytest.fixture(scope="module")
def data():
    return experiments.load("phantom", images=N)


def study(data, folder, **options):
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    return Study(data, extractor, RunFolder(folder), Options(views=1, **options))


@pytest.mark.filterwarnings("ignore::scp.training.HardlyTrainedWarning")
def test_all_objectives_and_all_key_points(data, tmp_path):
    events = []
    result = table4(study(data, tmp_path), [1, 2], TINY, events.append)
    starts = [e for e in events if e["event"] == "start"]
    names = ("infonce-levels", "infonce", "byol-levels", "byol")
    assert [(e["objective"], e["seed"]) for e in starts] == [(n, s) for n in names for s in (0, 1)]
    assert [e["number"] for e in starts] == list(range(1, 9)) and starts[0]["count"] == 8

    records = {
        (r["part"], r["name"], r["seed"], r["m"], r["evaluation"]): r for r in result.records
    }
    ways = ("paper", "paper-others", "honest-eq3", "honest-agreeing")
    assert len(records) == len(result.records) == (8 + 8 + 4) * 2 * len(ways)
    assert records["features", "byol", 1, 2, "paper"]["paper_mre"] == 3.085
    assert records["features", "infonce", 1, 2, "paper"]["paper_mre"] is None
    # what a study by itself says, with all templates matched
    folder = tmp_path / "reproduce" / "table4"
    own, first = (
        Study(data, scp.FeatureExtractor.load(folder / name), tmp_path / name, Options(views=1))
        for name in ("byol-levels-1", "infonce-levels-0")
    )
    for m in (1, 2):
        rows = own.picks([m])[m].selected
        for case, reference in zip(own.cases(), first.cases(), strict=True):
            key = "byol-levels", 1, m, case.key
            assert records["features", *key]["chosen"] == own.names(rows)
            assert records["features", *key]["mre"] == pytest.approx(case.mre(rows), abs=1e-12)
            other = reference.mre(rows)
            assert records["choice only", *key]["mre"] == pytest.approx(other, abs=1e-12)
    same = records["features", "infonce-levels", 0, 2, "honest-eq3"]["mre"]
    assert records["choice only", "infonce-levels", 0, 2, "honest-eq3"]["mre"] == same
    assert records["key points", "sift", 0, 2, "honest-eq3"]["mre"] == same

    titles = [table.title for table in result.tables]
    assert titles[0] == "the paper" and len(titles) == 1 + 3 * len(ways)
    line = result.tables[1].rows[2]
    errors = [records["features", "byol-levels", s, 1, "paper"]["mre"] for s in (0, 1)]
    assert line[:2] == ("byol-levels", f"{np.mean(errors):.3f} ± {np.std(errors):.3f}")


@pytest.mark.filterwarnings("ignore::scp.training.HardlyTrainedWarning")
def test_a_stopped_table_goes_on(data, tmp_path):
    class Stop(Exception):
        pass

    def stop(event):
        if event["number"] == 3:
            raise Stop

    with pytest.raises(Stop):
        table4(study(data, tmp_path), [1], TINY, stop)
    made = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("weights.safetensors")}
    assert len(made) == 2
    events = []
    table4(study(data, tmp_path, evaluation="paper"), [1], TINY, events.append)
    steps = [e["step"] for e in events if e["event"] == "start"]
    assert steps == [3, 3, 0, 0, 0, 0, 0, 0]
    longer = Trainings(**{**vars(TINY), "steps": 4})
    with pytest.raises(ValueError, match="started with steps = 3, not 4"):
        table4(study(data, tmp_path), [1], longer)


def test_without_trainings_only_key_points(data, tmp_path):
    result = table4(study(data, tmp_path, evaluation="paper"), [1, 5])
    assert {r["part"] for r in result.records} == {"key points"}
    assert {r["name"] for r in result.records} == set(paper.TABLE4_KEYPOINTS)
    left = [r["mre"] is None for r in result.records if r["evaluation"] == "paper-others"]
    assert left == [False, True] * 4  # M = 1, 5 of 5 images
    assert "nothing was trained" in result.text()


def test_trainings_are_checked_before_the_first():
    with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
        Trainings(seeds=0).check()
    with pytest.raises(ValueError, match="preset must be one of"):
        Trainings(preset="none").check()
    assert set(objectives.OBJECTIVES) >= set(paper.TABLE4_OBJECTIVES)


def test_the_command(tmp_path, capsys):
    run = tmp_path / "run"
    argv = ["reproduce", "table4", "--dataset", "phantom", "--images", "4", "--size", "64"]
    argv += ["--minutes", "0.005", "--seeds", "1", "-m", "1", "--evaluation", "paper"]
    assert main([*argv, "--run", str(run)]) == 0
    out, err = capsys.readouterr()
    assert "table4, training 4 of 4 (byol, seed 0): from step 0" in err
    assert "byol-levels" in out and "Trained from nothing for 0.005 minutes each" in out
    assert not (run / "weights.safetensors").exists()
    with (run / "reproduce" / "table4.csv").open() as file:
        assert {row["name"] for row in csv.DictReader(file)} >= {"byol", "surf"}
    assert main([*argv, "--run", str(run), "--minutes", "0"]) == 2
    assert "minutes must be above 0" in capsys.readouterr().err
