"""SCP beside the ten other ways: what they take, what it comes to, what goes with the error."""

import numpy as np
import pytest

import scp
from scp import baselines, experiments
from scp.evaluation.metrics import spearman
from scp.experiments.statistics import random_subsets

pytest.importorskip("sklearn", reason="k-means is scikit-learn's")

SIZES, SEEDS = (1, 3), 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    data = experiments.load("phantom", images=8)
    options = experiments.Options(evaluation="honest", draws=15, random_state=4)
    extractor = scp.GradientExtractor(size=(96, 96))
    return experiments.Study(data, extractor, tmp_path_factory.mktemp("study"), options)


@pytest.fixture(scope="module")
def result(study):
    return experiments.others(study, SIZES, SEEDS, ("levels", "pixels"))


@pytest.mark.filterwarnings("ignore:typiclust")
def test_choices_are_those_of_the_rules(study):
    found = experiments.choices(study, SIZES, SEEDS, ("levels",))
    assert [way.method for way in found.rows] == list(baselines.METHODS)
    for way, of in found.rows.items():
        fixed = way.method in ("kcenter", "facility", "repdiv")
        x = study.vectors(way.vectors)
        for m in SIZES:
            assert len(of[m]) == (1 if fixed else SEEDS)
            for seed, rows in enumerate(of[m], 4):
                wanted = baselines.pick(x, m, way.method, random_state=seed)
                assert rows.tolist() == wanted.tolist()
    assert any("typiclust" in text for text in found.warnings)


def test_errors_are_those_of_the_choices(study, result):
    case = study.cases()[0]
    names = {record["way"] for record in result.records}
    assert len(names) == 1 + 8 * 2 + 2  # SCP; eight rules on two kinds; two on their own
    for record in result.records:
        if record["evaluation"] != case.key:
            continue
        rows = [study.ids.index(name) for name in record["chosen"]]
        assert len(rows) == record["m"] and record["mre"] == case.mre(rows)
        sets = random_subsets(8, record["m"], 15, 4)
        random = np.array([case.mre(r) for r in sets])
        better = 100 * ((random < record["mre"]).mean() + (random == record["mre"]).mean() / 2)
        assert record["percent_of_random_better"] == pytest.approx(better)
    ours = next(r for r in result.records if r["way"] == "SCP" and r["m"] == 3)
    assert ours["chosen"] == study.names(study.picks([3])[3].selected)
    assert ours["score"] == pytest.approx(study.picks([3])[3].score)


def test_correlations_are_those_of_objective_and_error(study, result):
    case, sets = study.cases()[0], random_subsets(8, 3, 15, 4)
    errors = np.array([case.mre(rows) for rows in sets])
    table = next(t for t in result.tables if t.title.startswith("rank correlation"))
    lines = {row[0]: row[2] for row in table.rows}
    values, weights = study.matrix()
    score = [values[rows].max(axis=0) @ weights for rows in sets]
    assert lines["SCP: score (Eq. 9)"] == f"{spearman(score, errors):.2f}"
    spread = baselines.objective(study.vectors("levels"), sets, "kmeans", random_state=4)
    assert lines["kmeans, levels"] == f"{spearman(spread, errors):.2f}"
    similar = [case.similarity(rows) for rows in sets]
    assert table.rows[-1][2] == f"{spearman(similar, errors):.2f}"


def test_files_are_the_same_again(study, result, tmp_path):
    again = experiments.others(study, SIZES, SEEDS, ("levels", "pixels"))
    assert again.write(tmp_path) == ["others.md", "others.csv", "others.svg"]
    assert again.markdown() == result.markdown() and again.csv() == result.csv()
    assert str(again.figure) == str(result.figure)
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        experiments.others(study, SIZES, 0)
    with pytest.raises(ValueError, match="M = 9: the pool holds 8"):
        experiments.others(study, (9,))
