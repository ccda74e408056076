"""Choosing from a large pool of vectors, against other libraries: seconds, memory, objective.

python benchmarks/pools.py                              50,000 vectors of 512 numbers, M = 100
python benchmarks/pools.py --peers                      installs the peers and times them too
python benchmarks/pools.py --peers --peer-python PYTHON -n 20000 -m 50 --limit 300

Everybody gets the same vectors (clusters of unequal width, unit length) and chooses M rows. The
objective is facility location: the mean over all vectors of the largest cosine with a chosen one, 0
where it is negative. Each choice is made in a new process: its seconds are those of the choice
alone, its memory is the process's largest, the vectors included. A peer that takes longer than
--limit is stopped. k-means takes the vector nearest each centre; where two centres share one, fewer
rows are chosen.
"""

import json
import subprocess
import sys
import tempfile

import numpy as np
from common import arguments, finish, header
from peers import environment, interpreter

from scp.selection.vectors import Vectors

TIMED = r"""
import json, resource, sys, time
import numpy as np
x, m = np.load(sys.argv[1]), int(sys.argv[2])
%s
start = time.perf_counter()
rows = choose()
seconds = time.perf_counter() - start
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([seconds, memory, sorted({int(r) for r in rows}), globals().get("said", "")]))
"""
OURS = r"""
import scp
def choose():
    global said
    found = scp.select_vectors(x, m, progress=False)
    said = f"bound {found.upper_bound:.4f}, gap {found.gap:.2%}"
    return found.selected
"""
PEERS = {
    "submodlib, clustered, lazy": (
        "submodlib-py",
        r"""
from submodlib import FacilityLocationFunction
def choose():
    f = FacilityLocationFunction(n=len(x), mode="clustered", data=x, metric="cosine",
                                 num_clusters=m)
    return [i for i, _ in f.maximize(budget=m, optimizer="LazyGreedy", show_progress=False)]
""",
    ),
    "submodlib, sparse (100 neighbours), lazy": (
        "submodlib-py",
        r"""
from submodlib import FacilityLocationFunction
def choose():
    f = FacilityLocationFunction(n=len(x), mode="sparse", data=x, metric="cosine",
                                 num_neighbors=100)
    return [i for i, _ in f.maximize(budget=m, optimizer="LazyGreedy", show_progress=False)]
""",
    ),
    "apricot, 100 neighbours (faiss), lazy": (
        "apricot-select",
        r"""
import faiss
from apricot import FacilityLocationSelection
from scipy.sparse import csr_matrix
def choose():
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    values, near = index.search(x, 100)
    starts = np.arange(0, near.size + 1, 100)
    sparse = csr_matrix((np.maximum(values, 0).ravel().astype(np.float64), near.ravel(), starts))
    picks = FacilityLocationSelection(m, metric="precomputed", optimizer="lazy")
    return picks.fit(sparse.maximum(sparse.T)).ranking
""",
    ),
    "apricot, two-stage on 5,000 rows": (
        "apricot-select",
        r"""
from apricot import FacilityLocationSelection
def choose():
    rows = np.random.default_rng(0).choice(len(x), min(5000, len(x)), replace=False)
    picks = FacilityLocationSelection(m, metric="cosine", optimizer="two-stage")
    return rows[picks.fit(x[rows]).ranking]
""",
    ),
    "kmedoids, FasterPAM on 5,000 rows": (
        "kmedoids",
        r"""
import kmedoids
def choose():
    rows = np.random.default_rng(0).choice(len(x), min(5000, len(x)), replace=False)
    apart = 1 - np.maximum(x[rows] @ x[rows].T, 0)
    return rows[kmedoids.fasterpam(apart, m, random_state=0).medoids]
""",
    ),
    "kmedoids, FasterPAM, the whole matrix": (
        "kmedoids",
        r"""
import kmedoids
def choose():
    apart = x @ x.T
    np.maximum(apart, 0, out=apart)
    np.subtract(1, apart, out=apart)
    return kmedoids.fasterpam(apart, m, random_state=0).medoids
""",
    ),
    "banditpam": (
        "banditpam",
        r"""
from banditpam import KMedoids
def choose():
    fit = KMedoids(n_medoids=m, algorithm="BanditPAM")
    fit.fit(x, "cos")
    return fit.medoids
""",
    ),
    "faiss, k-means": (
        "faiss-cpu",
        r"""
import faiss
def choose():
    fit = faiss.Kmeans(x.shape[1], m, niter=20, spherical=True, seed=1,
                       max_points_per_centroid=len(x))
    fit.train(x)
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    return index.search(fit.centroids, 1)[1].ravel()
""",
    ),
    "scikit-learn, k-means": (
        "scikit-learn",
        r"""
from sklearn.cluster import KMeans
def choose():
    fit = KMeans(m, n_init=1, random_state=0).fit(x)
    return np.argmax(x @ fit.cluster_centers_.T, axis=0)
""",
    ),
}


def vectors(n: int, d: int, kinds: int, seed: int = 0) -> np.ndarray:
    """Unit vectors in clusters of unequal width."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((kinds, d)).astype(np.float32)
    out = middle[rng.integers(kinds, size=n)]
    for part in np.array_split(out, max(1, n // 4096)):
        width = 1.2 * rng.random((len(part), 1))
        part += (width * rng.standard_normal(part.shape)).astype(np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return out


def score(pool: Vectors, rows: list[int]) -> float:
    """The objective."""
    parts = np.array_split(np.arange(len(pool)), max(1, len(pool) // 4096))
    return float(np.mean(np.concatenate([pool.values(rows, p).max(axis=0) for p in parts])))


def timed(python: str, script: str, path: str, m: int, limit: float, ours: bool = False):
    """Seconds, bytes, rows and what is said of a choice in a new process; None: no answer."""
    try:
        done = subprocess.run(
            [python, "-c", TIMED % script, path, str(m)],
            capture_output=True,
            text=True,
            check=True,
            timeout=limit,
            env=None if ours else environment(),
        )
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:g} s"
    except subprocess.CalledProcessError as error:
        return (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1][:100]


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=50_000, help="vectors")
    parser.add_argument("-d", type=int, default=512, help="numbers of each")
    parser.add_argument("-m", type=int, default=100, help="rows to choose")
    parser.add_argument("--kinds", type=int, default=300, help="clusters of the vectors")
    parser.add_argument("--limit", type=float, default=600, help="seconds of a peer")
    parser.add_argument("--peers", action="store_true", help="install and time the peers")
    parser.add_argument("--peer-python", metavar="PYTHON", help="interpreter that has them")
    options = parser.parse_args()
    multiplied = options.n**2 * options.d / 1e9
    header(f"{multiplied:.0f} thousand million multiplications for one look at all pairs")
    x = vectors(options.n, options.d, options.kinds)
    pool = Vectors(x)
    best = None
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/vectors.npy"
        np.save(path, x)
        runs = [("scp", sys.executable, OURS)]
        if options.peers:
            names = sorted({package for package, _ in PEERS.values()} | {"scipy"})
            python, missing = interpreter(names, options.peer_python)
            for line in missing:
                print("peer not installed:", line)
            runs += [(name, python, script) for name, (_, script) in PEERS.items()]
            runs.append(("scp, again", sys.executable, OURS))
        ours = []
        for name, python, script in runs:
            mine = name.startswith("scp")
            answer = timed(python, script, path, options.m, options.limit, mine)
            if isinstance(answer, str):
                print(f"  {name:42s} {answer}", flush=True)
                continue
            seconds, memory, rows, said = answer
            value = score(pool, rows)
            print(
                f"  {name:42s} {seconds:8.1f} s {memory / 1e6:7.0f} MB   objective {value:.4f} "
                f"({len(rows)} rows) {said}",
                flush=True,
            )
            if mine:
                ours.append((seconds, value))
            elif value >= ours[0][1] and (best is None or seconds < best):
                best = seconds
    mean = float(np.median([seconds for seconds, _ in ours]))
    if best is None:
        print("no peer reached our objective")
    finish(options, mean, best if best is not None else float("nan"), objective=ours[0][1])


if __name__ == "__main__":
    main()
