"""scp measure on the command line, and its part of the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from heads import heads

import scp
from scp.cli import main
from scp.landmarks import write_kept
from scp.measures.measure import ERROR_SCALE


def found(n=6, error=5.0, ids=None):
    marks = heads(n)
    errors = np.full(marks.present.shape, error)
    return scp.Landmarks(ids or marks.ids, marks.names, marks.xy, error=errors)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    scp.write_landmarks(tmp_path / "found.csv", found())
    return tmp_path / "found.csv"


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A run folder with landmarks of heads under the names of its images."""
    run = shutil.copytree(finished_run, tmp_path / "run")
    write_kept(run / "landmarks.csv", found(8, ids=[f"p{k}" for k in range(8)]))
    return run


def test_a_file(file: Path, capsys):
    assert main(["measure", str(file), "--spacing", "0.1", "--definitions", "isbi2015"]) == 0
    said = capsys.readouterr().out
    assert "ISBI 2015 challenge: 8 measurements of 6 images" in said
    assert "90% interval of one value" in said and "next:" in said and "-o measurements" in said
    assert not (file.parent / "measurements.csv").exists()
    assert main(["measure", str(file), "--only", "ANB,Wits"]) == 0
    said = capsys.readouterr().out
    assert "not measured: Wits: no image has U6, L6" in said and "SNA" not in said
    assert "note: No spacing is known" in said


def test_landmarks_without_expected_errors(tmp_path: Path, capsys):
    scp.write_landmarks(tmp_path / "plain.csv", heads(4))
    assert main(["measure", str(tmp_path / "plain.csv")]) == 0
    said = capsys.readouterr().out
    assert "no intervals: these landmarks have no expected errors" in said and "+-:" not in said


def test_truth_and_output(file: Path, tmp_path: Path, capsys):
    truth = tmp_path / "true.csv"
    marks = heads(6)
    scp.write_landmarks(truth, scp.Landmarks(marks.ids, marks.names, marks.xy + 2))
    words = ["measure", str(file), "--truth", str(truth), "--spacing", "0.1,0.2"]
    assert main([*words, "--definitions", "isbi2015", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "measured minus true, 6 images" in said and "success: mean of the diagonal" in said
    assert (tmp_path / "out" / "measurements.html").is_file()
    assert main([*words, "--json", "-o", str(tmp_path / "only.json")]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((tmp_path / "only.json").read_text())
    assert content["agreement"]["images"] == 6


def test_inputs_are_not_overwritten(file: Path, run: Path, tmp_path: Path, capsys):
    before = file.read_bytes()
    truth = shutil.copy(file, tmp_path / "truth.csv")
    kept = (run / "landmarks.csv").read_bytes()
    for words in (
        [str(file), "-o", str(file)],
        [str(file), "--truth", str(truth), "-o", str(truth)],
        [str(run), "-o", str(run / "landmarks.csv")],
    ):
        assert main(["measure", *words]) == 2
        assert "the measurements would overwrite" in capsys.readouterr().err
    assert file.read_bytes() == before == truth.read_bytes()
    assert (run / "landmarks.csv").read_bytes() == kept
    assert main(["measure", str(file), "-o", str(tmp_path / "new.csv")]) == 0
    assert main(["measure", str(file), "-o", str(tmp_path / "new.csv")]) == 0


def test_own_definitions_and_errors(file: Path, tmp_path: Path, capsys):
    own = tmp_path / "own.toml"
    own.write_text('names = "cephalogram"\n[measures."jaw"]\ndistance = ["Go", "tip"]\n')
    assert main(["measure", str(file), "--definitions", str(own)]) == 2
    said = capsys.readouterr().err
    assert f"{own}: measures.jaw: no image has the landmark 'tip'; there are sella, " in said
    own.write_text('names = "cephalogram"\n[measures."jaw\u202e"]\ndistance = ["Go", "Pog"]\n')
    assert main(["measure", str(file), "--definitions", str(own)]) == 2
    assert "\u202e" not in capsys.readouterr().err
    for words, text in (
        (["--level", "1"], "level must be between 0 and 1"),
        (["--only", "X"], "no measurement is called 'X'; there are SNA"),
        (["--truth", str(tmp_path / "none.csv")], "none.csv: cannot be read"),
    ):
        assert main(["measure", str(file), *words]) == 2
        assert text in capsys.readouterr().err
    assert main(["measure", str(tmp_path)]) == 2


def test_a_run_folder_and_its_report(run: Path, capsys):
    assert main(["measure", str(run), "--spacing", "0.1"]) == 0
    said = capsys.readouterr().out
    assert f"{run / 'measurements.csv'}" in said and "count as exact" in said
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count('id="measurements"') == 1 and "SN-GoGn" in page
    assert page.index('id="landmarks"') < page.index('id="measurements"')
    assert main(["measure", str(run), "--spacing", "0.1", "--definitions", "isbi2015"]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count('id="measurements"') == 1 and "SN-GoGn" not in page


def test_other_landmarks_take_the_measurements_out_of_the_report(run: Path, images: Path):
    pool = scp.datasets.folder(images)
    stages = scp.Run(pool, run, features=scp.GradientExtractor(size=(128, 128)))
    result = stages.measure(truth=found(8, ids=pool.ids))
    assert result.ids == [f"p{k}" for k in range(8)] and result.units[-1] == "px"
    assert 'id="measurements"' in (run / "report.html").read_text(encoding="utf-8")
    stages.keep(scp.read_landmarks(run / "landmarks.csv"))
    assert 'id="measurements"' not in (run / "report.html").read_text(encoding="utf-8")
    wide = stages.measure("isbi2015", only=["MW"], write=False, error_scale=2.2)
    assert wide.names == ["MW"]
    narrow = stages.measure("isbi2015", found(8), only=["MW"], out=run / "mw.csv")  # 1.1
    np.testing.assert_allclose(wide.high - wide.low, 2 * (narrow.high - narrow.low))
    assert (run / "mw.csv").is_file()


def test_the_spacing_that_a_run_was_given(run: Path, images: Path, capsys):
    pool = scp.datasets.folder(images).with_spacing((0.1, 0.2))
    extractor = scp.GradientExtractor(size=(128, 128))
    scp.choose(pool, 3, run=run, count=30, duplicates=False, features=extractor, report=False)
    assert main(["measure", str(run), "--json", "--only", "N-Me"]) == 0
    content = json.loads(capsys.readouterr().out)
    xy = found(8).xy
    way = (xy[:, 7] - xy[:, 1]) * (0.2, 0.1)
    wanted = np.hypot(*way.T)
    assert content["measurements"][0]["unit"] == "mm"
    assert content["error_scale"] == ERROR_SCALE  # Python's default is the command's
    assert [row["value"] for row in content["values"]] == pytest.approx(wanted.tolist())


def test_a_run_folder_without_landmarks(finished_run: Path, capsys):
    assert main(["measure", str(finished_run)]) == 2
    assert "landmarks.csv; scp detect finds them first" in capsys.readouterr().err
