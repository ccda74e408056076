"""The ten other ways to choose: each method's time, all together, and peers of two of them.

python benchmarks/baselines.py                      2,400 vectors of 64 numbers, M = 50
python benchmarks/baselines.py --peers              installs facility location of two libraries too
"""

import json
import subprocess
import sys
import tempfile
import time

import numpy as np
from common import arguments, finish, header, seconds
from peers import interpreter, run

from scp import baselines

LIMIT = 10.0  # seconds of all methods together on two idle cores

TIMED = r"""
import json, sys, time
import numpy as np
kernel, m = np.load(sys.argv[1]), int(sys.argv[2])
%s
once()
times = []
for _ in range(3):
    start = time.perf_counter(); rows = once(); times.append(time.perf_counter() - start)
print(json.dumps([sorted(times)[1], sorted(int(r) for r in rows)]))
"""
FACILITY_PEERS = {
    "apricot-select": r"""
from apricot import FacilityLocationSelection
def once():
    return FacilityLocationSelection(m, metric="precomputed", optimizer="lazy").fit(kernel).ranking
""",
    "submodlib-py": r"""
from submodlib import FacilityLocationFunction
f = FacilityLocationFunction(n=len(kernel), mode="dense", sijs=kernel, separate_rep=False)
def once():
    return [i for i, _ in f.maximize(budget=m, optimizer="LazyGreedy", show_progress=False)]
""",
}


def first_time(statement: str) -> float:
    """Seconds of a statement in a new interpreter, less those of an empty one with scp."""
    script = "import time; import scp; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", script.format(statement)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def kmeans_alone(x: np.ndarray, m: int) -> float:
    """Seconds of scikit-learn's k-means and the image nearest each centre, nothing of ours."""
    from sklearn.cluster import KMeans

    unit = x / np.linalg.norm(x, axis=1, keepdims=True)

    def once():
        fit = KMeans(m, n_init=1, random_state=0).fit(unit)
        return fit.transform(unit).argmin(axis=0)

    return seconds(once, 3)


def facility_peers(x: np.ndarray, m: int, given: str | None) -> float | None:
    """Prints the peers' times of facility location alone, on a kernel that is given; the best."""
    from scp.baselines.choose import checked_vectors
    from scp.baselines.facility import similarities
    from scp.selection import Problem

    kernel = similarities(checked_vectors(x, "facility"))
    kernel = np.maximum(kernel, kernel.T)  # symmetric to the last bit
    ours = seconds(lambda: Problem(kernel).greedy(m), 3)
    mine = sorted(int(row) for row in Problem(kernel).greedy(m))
    print(f"facility location of a kernel that is there: {ours:.3f} s")
    best = None
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/kernel.npy", kernel)
        for name, script in FACILITY_PEERS.items():
            python, missing = interpreter([name, "scikit-learn"], given)
            if missing:
                print("peer not installed:", missing[0])
                continue
            try:
                answer = run(python, TIMED % script, f"{folder}/kernel.npy", str(m))
                t, rows = json.loads(answer.splitlines()[-1])
            except Exception as error:
                print(f"{name}: {error}")
                continue
            print(f"  {name}: {t:.3f} s, {t / ours:.1f} x ours, same images: {rows == mine}")
            best = t if best is None else min(best, t)
    return best


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=2400, help="vectors")
    parser.add_argument("-d", type=int, default=64, help="numbers of each")
    parser.add_argument("-m", type=int, default=50, help="images to choose")
    parser.add_argument("--peers", action="store_true", help="install and time the peers")
    parser.add_argument("--peer-python", metavar="PYTHON", help="interpreter that has them")
    options = parser.parse_args()
    header(f"all methods together, the import of scikit-learn included: {LIMIT:g} s on 2 cores")
    rng = np.random.default_rng(0)
    middle = rng.standard_normal((30, options.d))  # images come in kinds
    x = middle[rng.integers(30, size=options.n)] + rng.standard_normal((options.n, options.d))
    x = x.astype(np.float32)
    imported = first_time("import sklearn.cluster")
    print(f"{options.n} x {options.d} vectors, M = {options.m}")
    print(f"  {'import sklearn.cluster, once':30s} {imported:8.3f} s")
    total, worked, times = imported, 0.0, {}
    for method in baselines.METHODS:
        start = time.process_time()
        t = seconds(lambda method=method: baselines.pick(x, options.m, method), options.repeat)
        busy = (time.process_time() - start) / (options.repeat + 1)
        print(f"  {method:30s} {t:8.3f} s, {busy:7.3f} s of processor time", flush=True)
        times[method] = t
        total, worked = total + t, worked + busy
    print(f"  {'together':30s} {total:8.3f} s, {worked:7.3f} s of processor time and the import")
    alone = kmeans_alone(x, options.m)
    print(f"scikit-learn's k-means alone: {alone:.3f} s; kmeans here: {times['kmeans']:.3f} s")
    if options.peers:
        facility_peers(x, options.m, options.peer_python)
    finish(options, total, LIMIT, methods=times, sklearn_import=imported)


if __name__ == "__main__":
    main()
