"""The search over settings: settings are legal, the table is kept, the halves stay apart."""

import json
import sys

import accuracy
import pytest
import search_laptop

import scp


@pytest.mark.parametrize("name", search_laptop.SETTINGS)
def test_every_setting_is_legal_and_differs_from_the_preset(name):
    setting = search_laptop.SETTINGS[name]
    base = scp.FeatureExtractor(preset="laptop")
    total = 0
    for extractor, part in setting.parts():
        total += part
        same = (
            extractor.options == base.options
            and extractor.grid_size == base.grid_size
            and extractor.architecture.digest() == base.architecture.digest()
        )
        assert same == (name == "base") or setting.stages
    assert total == pytest.approx(1)


@pytest.fixture
def small(monkeypatch):
    """Twelve little phantoms instead of 150, and a little network."""
    phantom = scp.datasets.phantom
    monkeypatch.setattr(scp.datasets, "phantom", lambda n, seed: phantom(12, seed, (120, 96)))
    net = {
        "encoder": (16, 16, 16, 16, 16),
        "depths": (1, 1, 1, 1, 1),
        "decoder": (16, 16, 16, 16),
        "channels": 16,
    }
    tiny = search_laptop.Setting("small", {"points": 4, "batch": 2}, net, size=64)
    two = search_laptop.Setting(
        "in two stages",
        {"points": 4, "batch": 2},
        net,
        size=64,
        stages=((64, 0.5, {}), (96, 0.5, {"learning_rate": 5e-4})),
    )
    monkeypatch.setattr(search_laptop, "SETTINGS", {"tiny": tiny, "two": two})


def start(monkeypatch, tmp_path, *more):
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "search",
            "phantom",
            "--steps",
            "4",
            "--runs",
            str(tmp_path),
            "--cache",
            str(tmp_path / "cache"),
            *more,
        ],
    )
    search_laptop.main()


def test_table_is_added_to_and_what_is_there_is_skipped(small, monkeypatch, tmp_path, capsys):
    start(monkeypatch, tmp_path, "--only", "tiny")
    start(monkeypatch, tmp_path)
    text = (tmp_path / "table.jsonl").read_text()
    first, second = (json.loads(line) for line in text.splitlines())
    assert (first["key"]["name"], second["key"]["name"]) == ("tiny", "two")
    assert first["steps"] == 4 and second["steps"] == 4
    assert first["result"]["templates"] == 6
    (tmp_path / "table.jsonl").write_text(text + text[:30])  # a line that was cut off
    capsys.readouterr()
    start(monkeypatch, tmp_path)
    assert "2 done, 0 to do" in capsys.readouterr().out
    start(monkeypatch, tmp_path, "--show")
    assert capsys.readouterr().out.count("4 steps") == 2
    start(monkeypatch, tmp_path, "--steps", "5", "--list")
    assert "0 done, 2 to do" in capsys.readouterr().out


def test_fit_half_and_judged_half_share_no_image(small, tmp_path):
    fit = search_laptop.fit_half("phantom", None)
    judged, none = accuracy.load("phantom", "validation")
    assert none is None and fit.ids == ["001", "003", "005", "007", "009", "011"]
    assert not set(fit.ids) & set(judged.ids) and len(judged) == 6


def test_test_images_are_refused(small, monkeypatch, tmp_path):
    with pytest.raises(SystemExit):
        start(monkeypatch, tmp_path, "--on", "test1")
