"""Table 6: active learning on phantoms, beside SCP."""

import csv
import os
import signal
import warnings

import numpy as np
import pytest

import scp
from scp import experiments
from scp.baselines import ACTIVE, ActiveNetworks, suggest
from scp.cli import main
from scp.experiments import ActiveTrainings, Options, Study, paper, table6
from scp.experiments.active import Way
from scp.runs import RunFolder

N, M = 12, 3
TINY = ActiveTrainings(
    seeds=2,
    vaal={"size": 16, "passes": 1, "log_every": 1},
    instances={"size": 16, "passes": 2},
    sizes=ActiveNetworks((8, 8), 4, 16),
    views=2,
)


@pytest.fixture(scope="module")
def data():
    return experiments.load("phantom", images=N)


def study(data, folder, **options):
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    return Study(data, extractor, RunFolder(folder), Options(views=1, draws=20, **options))


def test_all_ways_are_judged_alike(data, tmp_path):
    events, s = [], study(data, tmp_path, candidates="without-first", random_state=3)
    result = table6(s, M, TINY, [Way("mine", [[0, 1, 2]])], events.append)
    starts = [(e["method"], e["seed"], e["number"]) for e in events if e["event"] == "start"]
    kinds = ("vaal", "instances")
    wanted = [(kind, seed) for seed in (3, 4) for kind in kinds]
    assert starts == [(*pair, number) for number, pair in enumerate(wanted, 1)]
    assert [t.title for t in result.tables] == [c.title for c in s.cases()]  # the paper's: M = 5
    lines = {row[0]: row for row in result.tables[0].rows}
    assert list(lines) == [*ACTIVE, "mine", "random", "SCP"]
    assert [lines[name][1] for name in lines] == [2, 2, 2, 2, 1, 20, 1]
    records = {(r["way"], r["seed"], r["evaluation"]): r for r in result.records}
    assert len(records) == len(result.records) == (4 * 2 + 2) * 4
    for method in ("vaal", "entropy"):
        options = TINY.options(method)
        how = {"options": options, "sizes": TINY.sizes, "views": 2, "exclude": [0]}
        rows = suggest(data.train, M, method, random_state=4, progress=False, **how)
        for case in s.cases():
            found = records[method, 4, case.key]
            assert found["chosen"] == s.names(rows)
            assert found["mre"] == pytest.approx(case.mre(rows), rel=1e-12)
            assert found["similarity"] == pytest.approx(case.similarity(rows), rel=1e-12)
        errors = [records[method, seed, "paper"]["mre"] for seed in (3, 4)]
        assert lines[method][3] == f"{np.mean(errors):.3f} ± {np.std(errors):.3f}"
    pick = s.picks([M])[M]
    ours = records["SCP", 3, "paper"]
    assert ours["chosen"] == s.names(pick.selected) and ours["score"] == pytest.approx(pick.score)


@pytest.mark.filterwarnings("ignore:typiclust")
def test_the_ten_other_ways_stand_beside_them(data, tmp_path):
    pytest.importorskip("sklearn", reason="k-means is scikit-learn's")
    s = study(data, tmp_path, evaluation="honest")
    more = experiments.other_ways(s, M, 2, ("levels",))
    assert [way.name.split(",")[0] for way in more] == list(scp.baselines.METHODS)
    result = table6(s, M, TINY, more)
    case = s.cases()[0]
    for way in more:
        found = [r for r in result.records if (r["way"], r["evaluation"]) == (way.name, case.key)]
        assert [r["mre"] for r in found] == [case.mre(rows) for rows in way.rows]
    kcenter = scp.baselines.pick(s.vectors("levels"), M, "kcenter")
    assert next(w for w in more if w.name == "kcenter, levels").rows[0].tolist() == kcenter.tolist()


def test_a_stopped_table_goes_on(data, tmp_path):
    def stop(event):
        if event["number"] == 3 and event["event"] == "step" and event["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        table6(study(data, tmp_path, evaluation="paper"), M, TINY, callback=stop)
    events = []
    again = table6(study(data, tmp_path, evaluation="paper"), M, TINY, callback=events.append)
    starts = [(e["number"], e["step"]) for e in events if e["event"] == "start"]
    assert starts == [(3, 2), (4, 0)]
    whole = table6(study(data, tmp_path / "new", evaluation="paper"), M, TINY)
    assert again.records == whole.records and again.text() == whole.text()


def test_the_command(tmp_path, capsys):
    run = tmp_path / "run"
    argv = ["reproduce", "table6", "--dataset", "phantom", "--images", "12", "--size", "64"]
    argv += ["--features", "gradient", "--views", "1", "--draws", "9", "--seeds", "1"]
    argv += ["--vaal-set", "size=16", "--vaal-set", "steps=2", "--instances-set", "size=16"]
    argv += ["--instances-set", "steps=2", "--active-widths", "8,8", "--run", str(run)]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "table6, training 1 of 2 (vaal, seed 0): from step 0; " in err
    assert "2.851 ± 0.077" in out and "table6.md" in out
    with (run / "reproduce" / "table6.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["way"] for r in rows} == {*ACTIVE, "SCP"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # typiclust: there are few images
        assert main([*argv, "--more", "--quiet"]) == 0
    assert "kcenter, keypoints" in (run / "reproduce" / "table6.md").read_text()
    for words, message in (
        (["--vaal-set", "size"], "--vaal-set: expected NAME=VALUE, got 'size'"),
        (["--vaal-set", "seed=3"], "--vaal-set seed: use --seed"),
        (["--instances-set", "sizes=3"], "no training option is called 'sizes'"),
        (["--active-widths", "8,8,8,8,8"], "size must be a multiple of 32, got 16"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
    ):
        assert main([*argv, *words, "--quiet"]) == 2
        assert message in capsys.readouterr().err
    argv[argv.index("12")] = "8"
    assert main([*argv, "--quiet"]) == 2
    message = "VAAL asks for 5 images beside 4 that count as labelled, and the pool holds 8; see -m"
    assert message in capsys.readouterr().err
    assert main(["info", "--options", "vaal"]) == 0
    assert "smallest crop" in capsys.readouterr().out


def test_the_paper_s_numbers():
    assert list(paper.TABLE6) == list(ACTIVE)
    for alike, mre in paper.TABLE6.values():
        assert 0.69 <= alike[0] < 0.7 and 2.7 < mre[0] < 2.9
