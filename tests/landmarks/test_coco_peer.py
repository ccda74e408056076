"""COCO key points as pycocotools reads them."""

import json

import numpy as np
import pytest

import scp
from scp.landmarks.coco import parse_coco

peer = pytest.importorskip("pycocotools.coco")


def content(seed, strings=False):
    """A file with crowds, absent key points, boxes only, several instances and categories."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(1000)[:8].tolist()
    images = [
        {"id": f"im{n}" if strings else n, "file_name": f"{n}.png", "width": 64, "height": 48}
        for n in numbers
    ]
    annotations = []
    for number in range(24):
        points = np.column_stack([rng.uniform(0, 48, (3, 2)).round(2), rng.integers(0, 3, 3)])
        area = float(rng.integers(1, 5))
        entry = {
            "id": number + 1,
            "image_id": images[rng.integers(8)]["id"],
            "category_id": int(rng.choice([7, 9])),
            "iscrowd": int(rng.random() < 0.2),
            "area": area,
            "bbox": [1, 1, area, 1],
            "keypoints": points.ravel().tolist(),
            "num_keypoints": int((points[:, 2] > 0).sum()),
        }
        if number % 6 == 0:
            del entry["keypoints"]
        annotations.append(entry)
    names = ["sella", "nasion", "porion"]
    categories = [
        {"id": 7, "name": "head", "supercategory": "x", "keypoints": names, "skeleton": [[1, 2]]},
        {"id": 9, "name": "box"},
    ]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


@pytest.mark.parametrize("seed", range(20))
def test_the_peer_reads_the_same_key_points(tmp_path, capsys, seed):
    path = tmp_path / "points.json"
    path.write_text(json.dumps(content(seed, strings=seed % 2 == 1)))
    found = parse_coco(path, path.read_text(), several="largest")
    api = peer.COCO(str(path))
    (category,) = api.loadCats([c for c in api.getCatIds() if "keypoints" in api.cats[c]])
    assert found.names == category["keypoints"]
    images = api.loadImgs(api.getImgIds())
    assert sorted(found.files) == sorted(i["file_name"] for i in images)
    several = 0
    for image in images:
        row = found.files.index(image["file_name"])
        assert found.shapes[row] == (image["height"], image["width"])
        numbers = api.getAnnIds(imgIds=[image["id"]], catIds=[category["id"]], iscrowd=0)
        entries = [e for e in api.loadAnns(numbers) if "keypoints" in e and e["num_keypoints"]]
        expected = np.full((3, 2), np.nan)
        if entries:
            several += len(entries) > 1
            best = max(entries, key=lambda e: e["area"])  # the first of equals
            points = np.reshape(best["keypoints"], (3, 3))
            expected[points[:, 2] > 0] = points[points[:, 2] > 0, :2]
        np.testing.assert_array_equal(found.xy[row], expected)
    assert several or seed not in (0, 1)


def test_the_peer_reads_what_is_written(tmp_path, capsys):
    random = np.random.default_rng(0)
    names = [f"{i}.png" for i in range(5)]
    images = scp.datasets.arrays([np.zeros((48, 64), np.uint8)] * 5, names)
    xy = random.uniform(0, 48, (5, 3, 2))
    xy[random.random((5, 3)) < 0.3] = np.nan
    said = scp.Landmarks(names, ["a", "b", "c"], xy, visible=random.random((5, 3)) < 0.5)
    path = tmp_path / "out.json"
    scp.write_landmarks(path, said, "coco", images)
    api = peer.COCO(str(path))
    for image in api.loadImgs(api.getImgIds()):
        i = names.index(image["file_name"])
        (entry,) = api.loadAnns(api.getAnnIds(imgIds=[image["id"]]))
        points = np.reshape(entry["keypoints"], (3, 3))
        np.testing.assert_array_equal(points[:, :2], np.nan_to_num(xy[i]))
        np.testing.assert_array_equal(
            points[:, 2], np.where(said.present[i], 1 + said.visible[i], 0)
        )
    scored = [{**entry, "score": 0.5} for entry in api.loadAnns(api.getAnnIds())]
    evaluation = pytest.importorskip("pycocotools.cocoeval").COCOeval
    found = evaluation(api, api.loadRes(scored), "keypoints")
    found.params.kpt_oks_sigmas = np.full(3, 0.05)
    found.evaluate()
    found.accumulate()
    found.summarize()
    assert found.stats[0] == pytest.approx(1)
