"""Choosing from large pools of generated radiographs: seconds, memory and bound by pool size.

    python benchmarks/large.py POOL                          10,000 images, M = 5
    python benchmarks/large.py POOL -n 1250,2500,5000,10000,20000
    python benchmarks/large.py POOL -n 2000 --whole          and the whole matrix beside it

Generates what POOL lacks (JPEG, 360 x 288 pixels, 40 a second and core), trains features on the
first images for --minutes, and chooses for each size in a new process, without a search for
duplicates; the report is written too. Seconds are by stage. Memory is what the process holds for
itself (RssAnon, looked at four times a second); pages of files that the system may drop are not
counted. The last line fits seconds to N^p.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from common import arguments, finish, header

import scp
from scp.run.sampling import COLUMNS

SIZE = (360, 288)
STAGES = ("key points", "similarity", "scores", "selection")


def image(pool: str, first: int, step: int, count: int) -> None:
    """Every `step`-th image of the pool, where it is not there."""
    import cv2

    scp.set_threads(1)
    made = scp.datasets.phantom(count, seed=1, size=SIZE)
    for i in range(first, count, step):
        path = Path(pool, "images", f"{i:05d}.jpg")
        if not path.exists():
            cv2.imwrite(str(path), made.image(i), [cv2.IMWRITE_JPEG_QUALITY, 92])


def generate(pool: Path, sizes: list[int]) -> None:
    """All images, and a folder of links for each size."""
    (pool / "images").mkdir(parents=True, exist_ok=True)
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as executor:
        made = [executor.submit(image, str(pool), k, cores, max(sizes)) for k in range(cores)]
        for one in made:
            one.result()
    for n in sizes:
        folder = pool / f"n{n}"
        folder.mkdir(exist_ok=True)
        for i in range(n):
            name = f"{i:05d}.jpg"
            if not (folder / name).exists():
                os.link(pool / "images" / name, folder / name)


def anonymous(pid: int) -> int:
    """Bytes that a process holds for itself."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("RssAnon"))
    except (OSError, StopIteration):
        return 0


CHOICE = """
import json, sys
import scp
images, run, weights, m, sample, memory = sys.argv[1:]
run = scp.Run(scp.datasets.folder(images), run, features=scp.FeatureExtractor.load(weights),
              sample=int(sample) or None, max_memory=int(memory) or None, duplicates=False,
              progress=False)
found = run.select(int(m))
run.report()
chosen = found.selection
print(json.dumps([chosen.score, chosen.upper_bound, found.ids, found.elapsed]))
"""


def chosen(pool: Path, n: int, m: int, sample: int, memory: int) -> dict:
    """A choice in a new process, with its seconds and bytes."""
    command = [sys.executable, "-c", CHOICE, pool / f"n{n}", pool / f"run-{n}-{sample}"]
    command += [pool / "laptop.safetensors", str(m), str(sample), str(memory)]
    start, most = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            most = max(most, anonymous(process.pid))
            time.sleep(0.25)
        text = process.stdout.read()
    if process.returncode:
        raise SystemExit(process.returncode)
    names = ("score", "upper_bound", "ids", "seconds")
    found = dict(zip(names, json.loads(text), strict=True))
    return found | {"total": time.perf_counter() - start, "bytes": most}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("-n", default="10000", help="images, with commas between")
    parser.add_argument("-m", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=4, help="of training")
    parser.add_argument("--whole", action="store_true", help="the whole matrix too")
    parser.add_argument("--max-memory", type=int, default=0, help="bytes (default 2 GiB)")
    options = parser.parse_args()
    sizes = [int(text) for text in options.n.split(",")]
    header("one look at each image for its key points, and two for its features")
    generate(options.pool, sizes)
    weights = options.pool / "laptop.safetensors"
    if not weights.exists():
        some = scp.datasets.folder(options.pool / f"n{min(sizes)}")
        scp.FeatureExtractor().fit(some, minutes=options.minutes).save(weights)
    seconds, whole = [], float("nan")
    for n in sizes:
        found = chosen(options.pool, n, options.m, COLUMNS, options.max_memory)
        taken = found["seconds"]
        stages = ", ".join(f"{name} {taken.get(name, 0):.0f} s" for name in STAGES)
        print(
            f"N = {n:6d}: {found['total']:7.1f} s in all ({stages}), {found['bytes'] / 1e6:.0f} MB"
        )
        score, bound = found["score"], found["upper_bound"]
        gap = (bound - score) / bound
        print(f"    score {score:.4f}, bound {bound:.4f} (gap {gap:.2%}, 99 %)", flush=True)
        seconds.append(found["total"])
        if options.whole:
            exact = chosen(options.pool, n, options.m, 0, options.max_memory)
            whole = exact["total"]
            lost = 1 - score / exact["score"]
            print(
                f"    whole matrix: {whole:.1f} s, {exact['bytes'] / 1e6:.0f} MB, score "
                f"{exact['score']:.4f}, bound {exact['upper_bound']:.4f}"
            )
            print(f"    the choice from the sample loses {lost:.3%}", flush=True)
    if len(sizes) > 1:
        power = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"seconds grow with N^{power:.2f}")
    finish(options, seconds[-1], whole)


if __name__ == "__main__":
    main()
