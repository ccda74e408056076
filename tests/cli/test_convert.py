"""scp convert, and the options of landmark files on every verb that takes one."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.landmarks.formats import FORMATS

cv2 = pytest.importorskip("cv2")
SHAPE = 90, 70
WIDE = "file,X1,Y1,X2,Y2\na.png,10,20,30,40.5\nb.png,11,21,,\n"
WRITTEN = [row.name for row in FORMATS if row.write is not None]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for name in ("a.png", "b.png"):
        picture = np.random.default_rng(len(name)).integers(0, 255, SHAPE, np.uint8)
        cv2.imwrite(f"images/{name}", picture)
    Path("wide.csv").write_text(WIDE)
    return tmp_path


def points(path, **options):
    return scp.read_landmarks(path, **options).rows(["a.png", "b.png"]).columns(["1", "2"])


def test_by_suffix_or_by_name(here, capsys):
    assert main(["convert", "wide.csv", "long.csv"]) == 0
    assert "2 images, 2 landmarks, 3 points in long.csv" in capsys.readouterr().out
    assert Path("long.csv").read_text().startswith("image,landmark,x,y\na.png,1,10.0,20.0\n")
    assert main(["convert", "wide.csv", "long.csv"]) == 2
    assert "long.csv is there already" in capsys.readouterr().err
    assert main(["convert", "wide.csv", "out.tps"]) == 2
    assert "the images are needed too" in capsys.readouterr().err
    assert main(["convert", "wide.csv", "out.tps", "--images", "images"]) == 0
    assert Path("out.tps").read_text().startswith("LM=2\n10.00000 70.00000\n30.00000 49.50000\n")
    assert main(["convert", "out.tps", "back.csv"]) == 2
    assert "the images are needed too" in capsys.readouterr().err
    assert main(["convert", "out.tps", "back.csv", "--images", "images"]) == 0
    assert points("back.csv") == points("wide.csv")
    for target, said in (("o.json", "could be for"), ("o", "could be for"), ("o.xyz", "no format")):
        assert main(["convert", "wide.csv", target, "--images", "images"]) == 2
        assert said in capsys.readouterr().err
    assert main(["convert", "wide.csv", "o.json", "--images", "images", "--to", "coco"]) == 0
    assert "next:" in capsys.readouterr().out
    assert main(["convert", "wide.csv", "p.csv", "--spacing", "0.1"]) == 2
    with pytest.raises(ValueError, match="to must be one of"):
        scp.convert_landmarks("wide.csv", "q", to="isbi")


@pytest.mark.parametrize("first", WRITTEN)
@pytest.mark.parametrize("second", WRITTEN)
def test_from_every_tool_to_every_other(here, first, second):
    images = scp.datasets.folder("images").with_spacing(0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scp.convert_landmarks("wide.csv", "first", to=first, images=images)
        scp.convert_landmarks("first", "second", to=second, images=images, format=first)
    back = points("second", images=images, format=second)
    np.testing.assert_allclose(back.xy, points("wide.csv").xy, atol=1e-3, rtol=0)


def test_options_of_files_on_every_verb(here, capsys):
    """The same table in percent, from the corner, says the same on each verb."""
    Path("percent.csv").write_text(
        "file,X1,Y1,X2,Y2\n"
        + "".join(
            f"{n}.png,{(x + 0.5) / 70 * 100},{(y + 0.5) / 90 * 100},50,50\n"
            for n, x, y in (("a", 10, 20), ("b", 11, 21))
        )
    )
    true = "image,landmark,x,y\n" + "".join(
        f"{n}.png,{k},{x},{y}\n"
        for n, k, x, y in (("a", 1, 10, 20), ("a", 2, 34.5, 44.5), ("b", 1, 11, 21))
    )
    Path("true.csv").write_text(true)
    options = ["--units", "percent"]
    assert main(["convert", "percent.csv", "c.csv", "--images", "images", *options]) == 0
    np.testing.assert_allclose(points("c.csv").xy[0, 0], [10, 20])
    table = ["images", "--dataset", "table", "--annotations", "percent.csv", *options]
    assert main(["evaluate", "true.csv", *table, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1])["mre"] < 1e-9
    assert main(["evaluate", "true.csv", "percent.csv", *options]) == 2
    assert "the images are needed too" in capsys.readouterr().err
    detect = ["detect", "images", "--run", "run", "--features", "gradient", "--quiet"]
    assert main([*detect, "--templates", "percent.csv", *options, "--format", "scp"]) == 0
    np.testing.assert_allclose(points("run/landmarks.csv").xy[0, 0], [10, 20])
    assert "--units percent" in capsys.readouterr().out
    assert main([*detect, "--templates", "percent.csv", "--format", "cvat"]) == 2
    assert main([*detect, *options]) == 2
    assert "--units goes with --templates or --dataset table" in capsys.readouterr().err
    assert main(["measure", "percent.csv", *options]) == 2
    assert "the images are needed too" in capsys.readouterr().err
    Path("fractions.csv").write_text("file,X1,Y1,X2,Y2\na.png,.5,.5,.2,.1\nb.png,.25,.75,,\n")
    table = ["images", "--dataset", "table", "--annotations", "fractions.csv"]
    assert main(["evaluate", "true.csv", *table]) == 2
    assert "--units fraction" in capsys.readouterr().err


def test_an_error_names_the_option_not_the_argument(here, capsys):
    assert main(["convert", "wide.csv", "found.json", "--to", "coco"]) == 2
    assert "the images are needed too (--images DIR)" in capsys.readouterr().err
