"""log.jsonl: what is damaged is counted and said, and the rest is used."""

import json
import warnings

import pytest

import scp
from scp.runs import read_log


def written(path, *texts):
    path.write_text("".join(texts), encoding="utf-8", newline="")
    return path


def line(step, loss=1.0):
    return json.dumps({"step": step, "loss": loss, "levels": [loss, 2.0]}) + "\n"


@pytest.mark.parametrize(
    "bad",
    [
        "\x00\x00\n",
        '{"step": 3, "levels": [1, "x"]}\n',
        '{"step": 3}\n',
        "[3]\n",
        '{"step": 1e999, "levels": []}\n',
        '{"step": 3, "levels": ' + "[" * 5000 + "\n",
        "\n",
    ],
)
def test_damaged_lines_are_counted(tmp_path, bad):
    path = written(tmp_path / "log.jsonl", line(1), bad, line(4), bad, line(5))
    with pytest.warns(UserWarning, match=r"log\.jsonl: 2 lines are damaged and left out"):
        assert [entry["step"] for entry in read_log(path)] == [1, 4, 5]


def test_a_last_line_that_is_cut_off_is_no_damage(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = written(tmp_path / "log.jsonl", line(1), line(2)[:9])
        assert [entry["step"] for entry in read_log(path)] == [1]
        written(path, line(1), line(1, 3.0), line(2)[:-1])
        assert [(e["step"], e["levels"][0]) for e in read_log(path)] == [(1, 3.0), (2, 1.0)]
        assert read_log(tmp_path / "none") == []


def test_a_training_that_goes_on_says_what_it_lost(tmp_path):
    options = {"log_every": 1, "batch": 1, "points": 8, "checkpoint_seconds": 0}
    pool = scp.datasets.phantom(2, size=(80, 64))

    def fit(**more):
        extractor = scp.FeatureExtractor(size=(64, 64), training=options)
        return extractor.fit(pool, steps=4, run=tmp_path, progress=False, **more)

    def stop(event):
        if event["event"] == "checkpoint" and event["step"] == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fit(callback=stop)
    path = tmp_path / "log.jsonl"
    written(path, "?" + path.read_text()[1:])
    with pytest.warns(UserWarning, match="1 line is damaged and left out"):
        fit()
    assert [entry["step"] for entry in read_log(path)] == [2, 3, 4]
