"""Two builds of scp side by side: training steps, features, similarity and selection.

    python benchmarks/builds.py OLD NEW [--turns 9] [--only laptop paper features ...]

OLD and NEW are checkouts with a compiled scp/_core. Each turn runs the one and then the other in a
process of its own; what is printed is the median over turns of NEW / OLD, of wall time and of CPU
time (of all threads, which other programs on the machine disturb less), and the extremes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STAGES = ("laptop", "paper", "features", "similarity", "bilinear", "selection", "proof")


def timed(function, repeat: int) -> list[float]:
    """Medians of wall and CPU seconds of a call."""
    function()
    wall, cpu = [], []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return [float(np.median(wall)), float(np.median(cpu))]


def training(preset: str, steps: int, words: list[str]) -> list[float]:
    """Seconds of a step, from the log of the command line; CPU of the process over all steps."""
    from scp.cli import main

    with tempfile.TemporaryDirectory() as folder:
        import cv2

        import scp

        pool = scp.datasets.phantom(4, seed=0)
        images = Path(folder, "images")
        images.mkdir()
        for i in range(len(pool)):
            cv2.imwrite(str(images / f"{i}.png"), np.uint8(pool.image(i) * 255 + 0.5))
        run = Path(folder, "run")
        start = time.process_time()
        arguments = ["train", images, "--preset", preset, "--steps", steps, "--run", run, *words]
        if main([str(a) for a in [*arguments, "--set", "log_every=1", "--quiet"]]):
            raise SystemExit("the training failed")
        cpu = (time.process_time() - start) / steps
        lines = [json.loads(t) for t in (run / "log.jsonl").read_text().splitlines()]
    return [float(np.median(np.diff([e["seconds"] for e in lines]))), cpu]


def child(stage: str) -> list[float]:
    import scp

    if stage == "laptop":
        return training("laptop", 12, [])
    if stage == "paper":
        return training("paper", 2, ["--set", "batch=2"])
    pool = scp.datasets.phantom(8, seed=0)
    extractor = scp.GradientExtractor(size=(384, 384))
    grids = [np.ascontiguousarray(pool.grid(i, (384, 384)), np.float32) for i in range(8)]
    if stage == "features":
        return timed(lambda: [extractor.pyramid(g) for g in grids], 9)
    if stage in ("similarity", "bilinear"):
        points = [scp.keypoints.detect(g, count=100).xy for g in grids]
        options = {"mode": "bilinear"} if stage == "bilinear" else {}
        job = scp.SimilarityJob(grids.__getitem__, 8, points, extractor, **options)
        return timed(job.run, 7)
    values = np.random.default_rng(0).random((150, 3000), np.float32)
    if stage == "selection":
        return timed(lambda: scp.select(values, 5), 9)
    return timed(lambda: scp.select(values[:40, :400], 4, method="exact"), 7)


def measure(package: str, stage: str) -> list[float]:
    environment = {**os.environ, "PYTHONPATH": str(Path(package).resolve())}
    command = [sys.executable, "-P", __file__, "--child", stage]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?")
    parser.add_argument("new", nargs="?")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--child", choices=STAGES)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args.child)))
        return
    print(f"{'stage':12}{'old, s':>10}{'wall':>8}{'lowest':>8}{'highest':>9}{'CPU':>8}")
    for stage in args.only:
        turns = np.array(
            [[measure(p, stage) for p in (args.old, args.new)] for _ in range(args.turns)]
        )
        ratio = turns[:, 1] / turns[:, 0]
        wall, cpu = np.median(ratio, axis=0)
        print(
            f"{stage:12}{np.median(turns[:, 0, 0]):10.4f}{wall:8.3f}{ratio[:, 0].min():8.3f}"
            f"{ratio[:, 0].max():9.3f}{cpu:8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
