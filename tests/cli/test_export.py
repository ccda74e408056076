"""scp export: chosen images out to a tool, marked there, and back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.datasets import phantom

cv2 = pytest.importorskip("cv2")


WORDS = ["images", "--run", "run"]
SELECT = ["-m", "2", "--features", "gradient", "--quiet"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with images and a run folder in which two were chosen."""
    folder, pool = tmp_path_factory.mktemp("made"), phantom(5, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("images").mkdir()
        for i, name in enumerate(pool.ids):
            cv2.imwrite(f"images/{name}.png", pool.image(i))
        assert main(["select", *WORDS, *SELECT]) == 0
    return folder, pool


@pytest.fixture
def chosen(made, tmp_path, monkeypatch):
    folder, pool = made
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return pool, WORDS


@pytest.mark.parametrize(
    "tool", ["label-studio", "cvat", "labelme", "slicer", "imagej", "via", "yolo-pose", "coco"]
)
def test_out_marked_and_back(chosen, tool, capsys):
    pool, words = chosen
    assert main(["export", *words, "--to", tool, "-o", "out"]) == 0
    assert "The labels: " in capsys.readouterr().out
    images = scp.datasets.folder("images")
    ids = [e["id"] for e in json.loads(Path("run/selection.json").read_text())["selected"]]
    if tool == "label-studio":
        tasks = json.loads(Path("out").read_text())
        assert [t["data"]["image"] for t in tasks] == ids
        assert [t["data"]["pick"] for t in tasks] == [1, 2] and tasks[0]["data"]["gain"] > 0
    true = scp.Landmarks.of(pool).rows(ids)
    scp.write_landmarks("marked", true, tool, images)
    detect = ["detect", *words, "--templates", "marked", "--features", "gradient", "--quiet"]
    assert main(detect) == 0
    found = scp.read_landmarks("run/landmarks.csv").rows(ids)
    np.testing.assert_allclose(found.columns(true.names).xy, true.xy, atol=1e-3)
    assert main(["export", *words, "--to", tool, "-o", "out"]) == 2
    assert "out is there already" in capsys.readouterr().err
    assert main(["export", *words, "--to", tool, "--predictions"]) == 0
    assert f"The labels: {', '.join(true.names)}." in capsys.readouterr().out
    written = scp.Run(images, "run").export(tool, predictions=True, out="again")
    sent = scp.read_landmarks(written, images=images).rows(ids)
    np.testing.assert_allclose(sent.columns(true.names).xy, true.xy, atol=1e-3)
    with pytest.raises(ValueError, match="without a folder"):
        scp.Run(images).export(tool)


def test_a_run_folder_stands_for_its_images(chosen, tmp_path, capsys):
    _, words = chosen
    assert main(["select", *words, *SELECT]) == 0  # the images are elsewhere than at first
    assert main(["export", *words, "--to", "cvat", "-o", "one.xml"]) == 0
    capsys.readouterr()
    assert main(["export", "run", "--to", "cvat", "-o", "two.xml"]) == 0
    assert Path("one.xml").read_bytes() == Path("two.xml").read_bytes()
    said = capsys.readouterr().out
    assert f"detect {tmp_path}/images --run run --templates FILE" in said
    for more, error in (
        (["--run", "other"], "--run: run is a run folder already"),
        (["--dataset", "folder"], "--dataset has no effect on a run folder"),
    ):
        assert main(["export", "run", "--to", "cvat", "-o", "three.xml", *more]) == 2
        assert error in capsys.readouterr().err
    Path("images").rename("moved")
    assert main(["export", "run", "--to", "cvat", "-o", "three.xml"]) == 2
    assert "its images are not in" in capsys.readouterr().err
    assert main(["annotate", "moved", "--run", "run", "--landmarks", "a,b"]) == 0
    assert main(["export", "moved", "--run", "run", "--to", "cvat", "-o", "three.xml"]) == 0


def test_a_run_folder_knows_the_options_of_its_images(chosen, capsys):
    pool, _ = chosen
    scp.write_landmarks("points.csv", scp.Landmarks.of(pool))
    table = ["images", "--dataset", "table", "--annotations", "points.csv", "--origin", "corner"]
    assert main(["select", *table, "--run", "other", *SELECT]) == 0
    assert main(["select", "other", *SELECT, "-m", "3"]) == 0
    said = json.loads(Path("other/dataset.json").read_text())["opened"]
    assert said["origin"] == "corner" and Path(said["annotations"]).is_absolute()
    assert main(["export", "other", "--to", "coco", "-o", "out.json"]) == 0
    assert len(json.loads(Path("out.json").read_text())["images"]) == 3
    assert "--origin corner" in capsys.readouterr().out
    record = json.loads(Path("other/dataset.json").read_text())
    del record["opened"], record["digest"]
    Path("other/dataset.json").write_text(json.dumps(record))  # as older versions wrote it
    assert main(["export", "other", "--to", "coco", "-o", "again.json"]) == 2
    assert "does not say how its images are opened" in capsys.readouterr().err
