"""The paper's study in one call, and how its results show themselves."""

import numpy as np
import pytest
from phantoms import write_cephalometric

import scp
from scp.experiments import Result, Table, open_study
from scp.report.svg import Drawing


def test_fast_is_small_and_takes_options(tmp_path):
    study = open_study(run=tmp_path, evaluation="paper", draws=7)
    assert len(study.ids) == 8 and study.extractor.name == "gradient"
    assert study.options.evaluation == "paper" and study.options.draws == 7
    assert study.options.searches == 1000


def test_the_run_folder_is_called_like_the_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = write_cephalometric(tmp_path / "films", scp.datasets.phantom(2, size=(60, 48)))
    with pytest.raises(scp.datasets.DatasetError, match="Test1Data"):
        open_study(root)
    assert str(open_study().run.path) == "scp-paper-fast/phantoms"


def test_features_of_the_run_folder_are_taken(tmp_path):
    assert not hasattr(open_study(run=tmp_path, fast=False, minutes=0).extractor, "model_")
    images = np.random.default_rng(0).random((2, 64, 64))
    made = scp.FeatureExtractor(size=(64, 64)).fit(images, steps=1, run=tmp_path)
    study = open_study(run=tmp_path, fast=False)
    assert study.extractor.grid_size == made.grid_size and study.options.draws == 1000


def test_a_result_shows_figure_tables_and_notes():
    figure = Drawing(10, 10, "a line", ("<path/>",))
    table = Table("Errors < 2", ("way", "mm"), [("<SCP>", "1.84")])
    result = Result("fig1", "Figure", [table], figure=figure, notes=["5 & 6"])
    assert repr(result) == "<Result: Figure>" and str(result) == result.text()
    shown = result._repr_html_()
    assert shown.index("<path/>") < shown.index("Errors &lt; 2") < shown.index("5 &amp; 6")
    assert "<td>&lt;SCP&gt;</td><td>1.84</td>" in shown and "<SCP>" not in shown


@pytest.mark.parametrize("minutes", [-1, float("nan")])
def test_minutes_that_are_none(minutes, tmp_path):
    with pytest.raises(ValueError, match="minutes must be 0 or more, got"):
        open_study(run=tmp_path, fast=False, minutes=minutes)
