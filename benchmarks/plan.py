"""What a choice from a million images costs on 1, 10 and 100 machines, from rates measured here.

    python benchmarks/plan.py IMAGES --model WEIGHTS            the plan
    python benchmarks/plan.py IMAGES --model WEIGHTS --check    and four processes of Dask beside it

Each task of `scp select --dask` is timed with one thread, on some images of the folder, while the
other cores do the same; so is what the command itself does with its result. A stage takes the
longer of both: the tasks on all cores, or the collecting by one process. With --check four workers
with one thread each do the same on --images images, and the plan for this machine's cores stands
beside what they took.
"""

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from common import arguments, finish, header

import scp
from scp.distributed import Share, connect
from scp.distributed.share import packed, unpacked
from scp.keypoints import Pool
from scp.keypoints.pool import FindPoints
from scp.run.sampling import COLUMNS
from scp.runs import Rows
from scp.selection.parts import Above, MatrixRows
from scp.similarity import PointVectors, SimilarityJob
from scp.similarity.job import SearchImage
from scp.similarity.point_vectors import VectorsOf

TIMED = 64  # images that rates are measured on: long enough for all cores to be at it
PART = 16  # images of a task
LOOKS = 6  # passes over the matrix of the sample: candidates, proposals, bounds


@dataclass
class Stage:
    """Seconds of a worker's core and of the command, and bytes of the result, for one image."""

    name: str
    task: float
    collect: float
    bytes: int

    def seconds(self, n: int, cores: int, overhead: float) -> float:
        tasks = n * (self.task + overhead / PART) / cores
        return max(tasks, n * (self.collect + overhead / PART))


def stage(name: str, task, folder: Path) -> Stage:
    """Rates of a task."""
    task(0)
    start = time.perf_counter()
    results = [task(i) for i in range(TIMED)]
    each = (time.perf_counter() - start) / TIMED
    share, rows = Share(folder), list(range(TIMED))
    start = time.perf_counter()
    data = packed(rows, results)
    share.write(name, data)
    each += (time.perf_counter() - start) / TIMED
    arrays = {k: v for k, v in results[0].items() if np.ndim(v)}
    fixed = len({tuple(np.shape(r[k]) for k in arrays) for r in results}) == 1
    start = time.perf_counter()
    found = unpacked(share.read(name))
    if fixed:  # rows of a table on disk
        kinds = {
            f"{k}.npy": ((TIMED, *np.shape(v)), np.asarray(v).dtype) for k, v in arrays.items()
        }
        table = Rows(folder, f"{name}.ledger", "plan", kinds)
        for i, own in found:
            table.put(i, *(own[k] for k in arrays))
        table.finish()
    return Stage(name, each, (time.perf_counter() - start) / TIMED, len(data) // TIMED)


def stages(pool, extractor, folder: Path) -> list[Stage]:
    """All that `scp select --dask` asks workers for."""
    grid = extractor.grid_size
    some = pool.subset(range(TIMED))
    find = FindPoints(some, extractor.image_size, grid, "sift", 100, 0, {})
    found = Pool(some, extractor)
    job = SimilarityJob(
        found.image, TIMED, found.points, extractor, digest=found.digest, pyramid=found.pyramid
    )
    most = max(map(len, found.points))
    shape = most, extractor.levels, extractor.channels
    vectors = PointVectors(job, found.points)
    queries, norms = vectors.of_images(range(TIMED))
    again = np.arange(COLUMNS) % len(queries)
    jitter = np.random.default_rng(0).normal(0, 0.02, (COLUMNS, *queries.shape[1:]))
    asked = (queries[again] + jitter).astype(np.float32)  # as many different ones
    asked /= np.maximum(np.linalg.norm(asked, axis=2, keepdims=True), 1e-6)
    search = SearchImage(found.images.pyramid, asked, norms[again], "nearest", 1e-3, "auto")
    return [
        stage("key points", find, folder),
        stage("vectors", VectorsOf(found.images.pyramid, found.points, shape), folder),
        stage("similarity", search, folder),
    ]


def rates(folder: Path, model: Path) -> tuple[list[Stage], float]:
    """Of one core; and seconds of a look at a row."""
    scp.set_threads(1)
    extractor, pool = scp.FeatureExtractor.load(model), scp.datasets.folder(folder)
    with tempfile.TemporaryDirectory() as place:
        return stages(pool, extractor, Path(place)), pass_seconds()


def mean(found: list[list[Stage]]) -> list[Stage]:
    """The stages of all cores as one."""
    out = []
    for same in zip(*found, strict=True):
        task, collect = (float(np.mean([getattr(s, k) for s in same])) for k in ("task", "collect"))
        out.append(Stage(same[0].name, task, collect, same[0].bytes))
    return out


def pass_seconds() -> float:
    """Seconds of one look at a row of the sample's matrix."""
    values = np.random.default_rng(0).random((512, COLUMNS), dtype=np.float32)
    task = Above(MatrixRows(values), np.full(COLUMNS, 1 / COLUMNS), values[:2])
    task(0)
    start = time.perf_counter()
    task(0)
    return (time.perf_counter() - start) / len(values)


class Nothing:
    """A task without work."""

    def __call__(self, i: int) -> dict:
        return {"row": np.int64(i)}


def task_seconds(client) -> float:
    """Seconds of Dask and of the shared folder for a task without work, many at a time."""
    with tempfile.TemporaryDirectory() as folder:
        workers = connect(client, folder, part=1)
        for count in (20, 300):
            start = time.perf_counter()
            list(workers.map(Nothing(), range(count)))
        return (time.perf_counter() - start) / count


def main() -> None:
    from distributed import Client, LocalCluster

    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="weights of the features")
    parser.add_argument("-n", type=int, default=1_000_000, help="images of the plan")
    parser.add_argument("--cores", type=int, default=8, help="of a machine of the plan")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--images", type=int, default=640, help="of the check")
    options = parser.parse_args()
    header("decoding, features and search on all cores; one process collects")
    extractor = scp.FeatureExtractor.load(options.model)
    pool = scp.datasets.folder(options.folder)
    here = os.cpu_count() or 1
    with ProcessPoolExecutor(here, get_context("spawn")) as executor:
        given = [options.folder] * here, [options.model] * here
        every = list(executor.map(rates, *given))
    found, look = mean([stage for stage, _ in every]), float(np.mean([look for _, look in every]))
    with (
        LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        overhead = task_seconds(client)
        print(f"a task without work: {1e3 * overhead:.1f} ms, {1 / overhead:.0f} a second")
        for one in found:
            share = overhead / PART / one.task
            print(
                f"{one.name:10s} {1e3 * one.task:6.1f} ms an image and core, "
                f"{1e3 * one.collect:5.2f} ms to collect, {one.bytes / 1024:6.1f} KB, overhead "
                f"{share:.1%} of a task"
            )
        print(f"a look at the matrix: {1e6 * look:.0f} us a row; {LOOKS} looks")
        n = options.n
        print(f"\n{n:,} images, hours")
        print(
            "machines  " + "".join(f"{one.name:>12s}" for one in found) + "   selection     total"
        )
        for machines in (1, 10, 100):
            cores = machines * options.cores
            hours = [one.seconds(n, cores, overhead) / 3600 for one in found]
            hours.append(max(LOOKS * n * look / cores, LOOKS * n * look / 512) / 3600)
            print(f"{machines:8d}  " + "".join(f"{h:12.2f}" for h in [*hours, sum(hours)]))
        stored = n * sum(one.bytes for one in found) / 1e9
        print(f"results in the run folder: {stored:,.0f} GB; through the share once")
        for one in found:
            full = (one.task + overhead / PART) / max(one.collect + overhead / PART, 1e-9)
            print(f"{one.name}: one process keeps up with {full:.0f} cores")
        measured = planned = float("nan")
        if options.check:
            some = pool.subset(range(options.images))
            planned = sum(one.seconds(options.images, here, overhead) for one in found)
            with tempfile.TemporaryDirectory() as folder:
                workers = connect(client, part=PART)
                run = scp.Run(
                    some, folder, features=extractor, workers=workers, sample=COLUMNS,
                    duplicates=False, progress=False,
                )  # fmt: skip
                list(workers.map(Nothing(), range(64), folder))  # they have loaded scp
                start = time.perf_counter()
                run.similarity()
                measured = time.perf_counter() - start
            print(f"\n{options.images} images, 4 workers on {here} cores, similarity and before:")
            print(f"planned {planned:.1f} s, taken {measured:.1f} s ({measured / planned:.2f})")
    finish(options, measured, planned)


if __name__ == "__main__":
    main()
