"""Writes the run folder of this version that later versions must read; once for each release.

    python tests/runs/data/make_run.py

Images are as large as the grid and key points are drawn at random, so that a later OpenCV, which
may resize or detect a little differently, gives the same similarity.
"""

from pathlib import Path

import cv2

import scp
from scp import cli

NETWORK = {"encoder": [8, 8, 8], "depths": [0, 1, 1], "decoder": [8, 8], "channels": 8}
OPTIONS = {"batch": 2, "points": 8, "window": 3, "log_every": 1, "checkpoint_seconds": 0}


class Stopped(Exception):
    pass


def stop(event: dict) -> None:
    if event["event"] == "checkpoint" and event["step"] == 2:
        raise Stopped


def command(folder: Path, stage: str, *words: object) -> None:
    places = [folder / "images", "--run", folder / "run", "--quiet"]
    assert cli.main([str(word) for word in (stage, *places, *words)]) == 0


def main() -> None:
    folder = Path(__file__).parent / f"run_{scp.__version__.replace('.', '_')}"
    (folder / "images").mkdir(parents=True)
    pool = scp.datasets.phantom(6, seed=7, size=(64, 64))
    names = [f"{name}.png" for name in pool.ids]
    for i, name in enumerate(names):
        smallest = [cv2.IMWRITE_PNG_COMPRESSION, 9]
        cv2.imwrite(str(folder / "images" / name), pool.image(i), smallest)
    truth = scp.Landmarks(names, pool.landmark_names, pool.landmarks)
    marks = folder / "marks.csv"
    scp.write_landmarks(marks, truth.rows([names[0], names[2]]))

    trunk = [f"network.{name}={NETWORK[name]}" for name in ("encoder", "depths", "decoder")]
    sets = [word for setting in trunk for word in ("--set", setting)]
    points = ["--keypoints", "random", "--count", 12]
    gradient = ["--features", "gradient", "--size", 64, "--channels", 16]
    command(folder, "select", "-m", 2, *points, *gradient, "--no-report")
    narrow = ["--set", "network.channels=8", "--set", "batch=2", "--set", "points=8"]
    command(folder, "train", "--steps", 3, "--size", 64, *sets, *narrow)
    command(folder, "detect", "--templates", marks)
    command(folder, "refine", "--templates", marks, "--steps", 2, *sets)
    for large in ("checkpoint.safetensors", "refine1.checkpoint.safetensors"):
        (folder / "run" / large).unlink()

    extractor = scp.FeatureExtractor(
        preset="laptop", random_state=0, size=(64, 64), network=NETWORK, training=OPTIONS
    )
    images = scp.datasets.folder(folder / "images")
    try:
        extractor.fit(images, steps=4, run=folder / "stopped", progress=False, callback=stop)
    except Stopped:
        return
    raise SystemExit("error: the training was not stopped")


if __name__ == "__main__":
    main()
