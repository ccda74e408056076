"""scp as typed code uses it; never run, checked by pyright in its strict mode (make types)."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np

import scp
from scp.networks import Network
from scp.report import write_report


def choose(folder: Path) -> list[str]:
    pool = scp.datasets.folder(folder, on_error="skip")
    choice = scp.choose(pool, 5, method="exact", run=folder / "run", count=50)
    assert_type(choice.selection, scp.Selection)
    assert_type(choice.curve, list[scp.Selection])
    return choice.ids


def select(values: np.ndarray) -> float:
    one = scp.select(values, 3, method="greedy", exclude=[1])
    assert_type(one, scp.Selection)
    assert_type(scp.select(values, [1, 2, 3]), list[scp.Selection])
    assert_type(scp.select([[0.5, 1.0]], None, costs=[1.0], budget=2.0), scp.Selection)
    return scp.verify(values, one)


def stages(folder: Path) -> Path | None:
    pool = scp.datasets.phantom(8)
    run = scp.Run(pool, folder, features=scp.GradientExtractor(size=(128, 128)))
    assert_type(run.select(2), scp.Choice)
    return run.path


def measure(folder: Path) -> list[str]:
    found = scp.read_landmarks(folder / "landmarks.csv")
    result = scp.measure(found, "isbi2015", spacing=0.1, truth=scp.datasets.phantom(8))
    assert_type(result, scp.Measurements)
    return result.names if result.agreement is None else result.agreement.ids


def train(folder: Path) -> scp.FeatureExtractor:
    pool = scp.datasets.folder(folder)
    extractor = scp.FeatureExtractor(training={"points": 64}, random_state=1)
    extractor.fit(pool, minutes=1, run=folder).set_params(preset="paper")
    assert_type(extractor.pyramid(pool.grid(0)), scp.FeaturePyramid)
    return extractor


def detect(extractor: scp.FeatureExtractor, pool: scp.datasets.Dataset) -> scp.Evaluation:
    marks = scp.read_landmarks("marks.csv")
    found = scp.LandmarkDetector(extractor).fit(pool.subset([0, 1]), marks).predict(pool)
    assert_type(found, scp.Detections)
    scp.write_landmarks("found.csv", found)
    refiner = scp.LandmarkRefiner(start=extractor).fit(pool, found, templates=marks, steps=10)
    assert_type(refiner.predict(pool, matched=found), scp.Landmarks)
    return scp.evaluate(found, pool, exclude=["001"])


def parts(pool: scp.datasets.Dataset) -> tuple[np.ndarray, dict[str, Any]]:
    extractor = scp.GradientExtractor()
    points = [scp.keypoints.detect(pool.grid(i)).xy for i in range(len(pool))]
    job = scp.SimilarityJob(pool.grid, len(pool), points, extractor)
    values, _ = job.run()
    answer = scp.select(values, 2, weights=scp.client_weights(job.offsets))
    offsets, xy = job.offsets, np.concatenate(points)
    write_report(
        "r.html", dataset=pool, keypoints_xy=xy, offsets=offsets, values=values, selection=answer
    )
    return scp.metrics.radial_errors([[0, 0]], [[3, 4]], 0.1), extractor.parameters()


def network() -> np.ndarray:
    net = Network()
    x = net.relu(net.batch_norm(net.conv(net.input(1), 16, kernel=(3, 3), padding="same")))
    net.output(x)
    (maps,) = net.run(np.zeros((64, 64), np.float32), *net.initial(random_state=1))
    return maps


def matrices(mine: list[list[float]], channels_first: list[np.ndarray]) -> scp.FeaturePyramid:
    selector = scp.TemplateSelector(2).fit(mine)
    assert_type(selector.selection_, scp.Selection)
    assert_type(selector.score(mine), float)
    assert_type(scp.select(mine, range(1, 3)), list[scp.Selection])
    first = scp.select(mine, 1, groups=np.array(["a", "a", "b"]), exclude=np.array([1]))
    assert_type(scp.verify(mine, scp.select(mine, 2, initial=first.selected)), float)
    assert_type(selector.selection_ == scp.select(mine, 2), bool)
    return scp.FeaturePyramid.from_levels(channels_first, layout="chw")
