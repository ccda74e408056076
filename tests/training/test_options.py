"""The options of training: text, JSON, schedules, and what is refused."""

from __future__ import annotations

import json

import pytest

from scp import _core, cli
from scp.refinement import RefinementOptions, SupervisedOptions
from scp.training import TrainingOptions, Transform

OPTIONS = TrainingOptions(batch=2, points=8, steps=8)


def test_options_survive_json():
    options = OPTIONS.set(noise="0.1@crop", level_weights="3,1", interpolation="cubic", flip=0.5)
    again = TrainingOptions.from_dict(json.loads(json.dumps(options.to_dict())))
    assert again == options
    assert {*TrainingOptions.ROWS, "transforms"} == options.to_dict().keys()


def test_set_reads_text():
    options = TrainingOptions().set(
        batch="8",
        learning_rate="1e-4",
        schedule="step",
        rotation="5@both",
        elastic="0",
        level_weights="1, 2",
        clip_norm=3,
    )
    assert (options.batch, options.learning_rate, options.clip_norm) == (8, 1e-4, 3.0)
    assert options.level_weights == (1.0, 2.0)
    assert options.set(level_weights="none").level_weights == ()
    table = {t.name: t for t in options.transforms}
    assert table["rotation"] == Transform("rotation", 5.0, "both")
    assert table["elastic"] == Transform("elastic", 0.0, "crop")
    core = options.core()
    assert core["rotation"] == [5, 5]
    assert core["scale"] == [0, 0.2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bach": 3}, "no training option is called 'bach'; there are: .*batch.*rotation.*network"),
        ({"batch": 0}, "batch must be 1 to"),
        ({"batch": 2.5}, "batch must be a whole number, got 2.5"),
        ({"batch": "two"}, "batch must be a whole number, got 'two'"),
        ({"batch": True}, "batch must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"learning_rate": float("nan")}, "learning_rate must be 0 to 10, got nan"),
        ({"temperature": 0}, "temperature must be"),
        ({"seed": -1}, "seed must be 0 to"),
        ({"schedule": "linear"}, "schedule must be one of constant, step, cosine, got 'linear'"),
        ({"objective": 3}, "objective must be one of infonce-levels, infonce, byol-levels, byol"),
        ({"negatives": 3}, "negatives must be one of windowed, plain"),
        ({"rotation": "10@left"}, "rotation: views must be one of image, crop, both"),
        ({"rotation": "far"}, "rotation must be a number"),
        ({"noise": -0.1}, "noise must be 0 to 1"),
        ({"level_weights": "1,a"}, "level_weights must be a number"),
        ({"level_weights": [-1]}, "level_weights must be at least 0"),
        ({"level_weights": 3}, "level_weights must be numbers"),
        ({"transforms": "rotation"}, "transforms must be Transform objects"),
        ({"transforms": (), "noise": 0.1}, "transforms: set the whole table or"),
    ],
)
def test_bad_options(values, message):
    with pytest.raises(ValueError, match=message):
        TrainingOptions().set(**values)


def test_unknown_names_in_a_dict():
    with pytest.raises(ValueError, match="called 'sped'"):
        TrainingOptions.from_dict({"sped": 1})
    with pytest.raises(ValueError, match="transform must be one of rotation"):
        TrainingOptions.from_dict({"transforms": {"swirl": "1@both"}})
    with pytest.raises(ValueError, match="each may appear once"):
        TrainingOptions(transforms=(Transform("noise", 0.1), Transform("noise", 0.2)))


def test_schedules():
    options = TrainingOptions(learning_rate=2.0, schedule="constant", warm_up=0.1)
    assert [options.rate(p) for p in (0, 0.05, 0.1, 0.7, 1)] == [0, 1, 2, 2, 2]
    cosine = options.set(schedule="cosine", warm_up=0.0, final=0.1)
    assert [cosine.rate(p) for p in (0, 0.5, 1)] == pytest.approx([2, 1.1, 0.2])
    late = options.set(schedule="cosine", warm_up=0.5)
    assert [late.rate(p) for p in (0.25, 0.5, 0.75, 1)] == pytest.approx([1, 2, 1, 0])
    step = options.set(schedule="step", warm_up=0.0, decay=0.5, decay_every=1 / 6)
    steps = [k / 60 for k in (0, 9, 10, 19, 20, 59)]
    assert [step.rate(p) for p in steps] == pytest.approx([2, 2, 1, 1, 0.5, 2 / 32])


@pytest.mark.parametrize("kind", [TrainingOptions, RefinementOptions, SupervisedOptions])
def test_rows_say_what_the_checks_do(kind):
    """Both ends of a range are legal and what lies beyond is not."""
    for row, value in kind().rows():
        assert row.meaning and not row.meaning.endswith("."), row.name
        if row.type == "choice":
            assert value in row.choices
        if row.type not in ("count", "real"):
            continue
        for legal in (row.min, row.max):
            assert getattr(kind().set(**{row.name: legal}), row.name) == legal
        with pytest.raises(ValueError, match=f"{row.name} must be"):
            kind().set(**{row.name: row.max * 2 + 1})


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="table must be that of a training, got 'select'"):
        _core.options("select")


def test_info_lists_options(capsys):
    assert cli.main(["info", "--options", "refine", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows["vote"]["choices"] == ["count", "weighted"]
    assert rows["prior"] == {
        "meaning": "heat maps begin at the share of pixels in a disc",
        "default": True,
        "choices": [True, False],
        "unit": "",
    }
    assert (rows["rotation"]["default"], rows["rotation"]["max"]) == ("15@both", 180)
    assert cli.main(["info", "--options", "--model", "paper"]) == 0
    lines = capsys.readouterr().out.splitlines()
    batch = next(line for line in lines if line.startswith("batch "))
    assert batch.split() == [
        "batch",
        "8",
        "1",
        "to",
        "4096",
        "images",
        "per",
        "step,",
        "each",
        "with",
        "a",
        "crop",
    ]


def test_old_names_of_the_negatives_are_read():
    """Files from when the objective was "windowed" or "plain"."""
    new = TrainingOptions(negatives="plain")
    old = {name: v for name, v in new.to_dict().items() if name != "negatives"}
    assert TrainingOptions.from_dict(old | {"objective": "plain"}) == new
    assert TrainingOptions().set(objective="plain") == new
    assert TrainingOptions().set(objective="windowed") == TrainingOptions()
    assert new.of_all_levels and not new.set(objective="infonce").of_all_levels
