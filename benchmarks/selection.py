"""Selection: random search, greedy and exchanges, bounds and proofs, against peers from PyPI.

python benchmarks/selection.py --run runs/cephalometric      (a similarity matrix of your own)
python benchmarks/selection.py                               (a generated one)
"""

import heapq
import json
import tempfile
import time

import numpy as np
from common import arguments, finish, header, seconds
from peers import interpreter, run

import scp
from scp import _core

# apricot takes square symmetric matrices only, so it gets one of its own.
GREEDY_PEERS = {
    "apricot-select": r"""
import numpy as np, time, json, sys
v = np.load(sys.argv[1].replace("v.npy", "square.npy")).astype(float)
m = int(sys.argv[2])
from apricot import FacilityLocationSelection
def once():
    return FacilityLocationSelection(m, metric="precomputed", optimizer="lazy").fit(v).ranking
""",
    "submodlib-py": r"""
import numpy as np, time, json, sys
v = np.load(sys.argv[1])
m = int(sys.argv[2])
from submodlib import FacilityLocationFunction
f = FacilityLocationFunction(n=v.shape[0], mode="dense", separate_rep=True, n_rep=v.shape[1],
                             sijs=np.ascontiguousarray(v.T))
def once():
    return [i for i, _ in f.maximize(budget=m, optimizer="LazyGreedy", show_progress=False)]
""",
}
TIMED = r"""
once()
times = []
for _ in range(3):
    start = time.perf_counter(); rows = once(); times.append(time.perf_counter() - start)
print(json.dumps([sorted(times)[1], sorted(int(r) for r in rows)]))
"""

EXACT_PEERS = {
    "pbp-pmedian": r"""
import json, sys, time
import numpy as np
from pbp_pmedian import solve
v, m = np.load(sys.argv[1]).astype(float), int(sys.argv[2])
start = time.perf_counter()
value, rows, _, status, engine = solve(1 - v, p=m)
print(json.dumps([time.perf_counter() - start, sorted(int(r) for r in rows), f"{status} {engine}"]))
""",
    "highspy": r"""
import json, sys, time
import numpy as np, highspy
v = np.load(sys.argv[1]).astype(float); m = int(sys.argv[2]); limit = float(sys.argv[3])
n, q = v.shape
h = highspy.Highs(); h.setOptionValue("output_flag", False); h.setOptionValue("time_limit", limit)
start = time.perf_counter()
inf = highspy.kHighsInf
model = highspy.HighsLp()  # x_c binary, y_cq in [0, x_c], sum_c y_cq = 1
model.num_col_ = n + n * q
model.num_row_ = 1 + q + n * q
model.col_cost_ = np.concatenate([np.zeros(n), -v.ravel() / q])
model.col_lower_ = np.zeros(n + n * q)
model.col_upper_ = np.ones(n + n * q)
kinds = highspy.HighsVarType
model.integrality_ = [kinds.kInteger] * n + [kinds.kContinuous] * (n * q)
model.row_lower_ = np.concatenate([[m], np.ones(q), np.full(n * q, -inf)])
model.row_upper_ = np.concatenate([[m], np.ones(q), np.zeros(n * q)])
rows, cols, vals = [np.zeros(n, int)], [np.arange(n)], [np.ones(n)]
c, k = np.divmod(np.arange(n * q), q)
rows += [1 + k, 1 + q + np.arange(n * q), 1 + q + np.arange(n * q)]
cols += [n + np.arange(n * q), n + np.arange(n * q), c]
vals += [np.ones(n * q), np.ones(n * q), -np.ones(n * q)]
rows, cols, vals = map(np.concatenate, (rows, cols, vals))
order = np.lexsort((cols, rows)); rows, cols, vals = rows[order], cols[order], vals[order]
model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
model.a_matrix_.start_ = np.searchsorted(rows, np.arange(model.num_row_ + 1))
model.a_matrix_.index_ = cols; model.a_matrix_.value_ = vals
h.passModel(model); h.run()
x = np.array(h.getSolution().col_value[:n])
print(json.dumps([time.perf_counter() - start, np.flatnonzero(x > .5).tolist(),
                  str(h.getModelStatus())]))
""",
}


def generated(n, q, seed=0):
    """Images as points of a low-dimensional cloud; similarity falls with distance, with noise."""
    rng = np.random.default_rng(seed)
    images, clients = rng.normal(size=(n, 6)), rng.normal(size=(q, 6))
    d = np.square(images[:, None, :1] - clients[None, :, 0:1])[..., 0]
    for k in range(1, 6):
        d += np.square(images[:, k : k + 1] - clients[None, :, k])
    v = np.exp(-0.12 * d) * rng.uniform(0.6, 1.0, (n, q))
    return v.astype(np.float32)


def best(title, function, limit, repeat):
    t = seconds(function, repeat)
    print(f"{title:58s} {t * 1e3:9.1f} ms   (reach {limit * 1e3:g} ms)", flush=True)
    return t


def prepared(v):
    """The problem that every method of `scp.select` starts from."""
    return scp.selection.Problem(v)


def greedy_rows(v, m):
    """Greedy alone, preparation included: what the peers are timed on."""
    return _core.select_greedy(prepared(v).core, m)


def lazy_greedy(v, m):
    """The peer for matrices that are not square: lazy greedy in NumPy, a heap of old gains."""
    best = np.zeros(v.shape[1], np.float32)
    heap = [(-gain, i) for i, gain in enumerate(v.mean(1, dtype=float))]
    heapq.heapify(heap)
    rows = []
    for _ in range(m):
        while True:
            i = heap[0][1]
            gain = np.maximum(v[i] - best, 0).mean(dtype=float)
            heapq.heapreplace(heap, (-gain, i))
            if heap[0][1] == i:
                break
        rows.append(heapq.heappop(heap)[1])
        best = np.maximum(best, v[rows[-1]])
    return rows


def shapes():
    """Greedy from tall matrices to wide ones: its time is that of N Q."""
    for n, q in ((40_000, 100), (20_000, 1_000), (2_000, 2_000), (1_000, 20_000), (100, 40_000)):
        v = generated(n, q)
        for m in (1, 5, 50):
            ours = seconds(lambda v=v, m=m: greedy_rows(v, m), 3)
            peer = seconds(lambda v=v, m=m: lazy_greedy(v, m), 1)
            print(
                f"greedy, {n} x {q}, M = {m}: {ours * 1e3:.1f} ms, {ours / (n * q) * 1e9:.1f} ns "
                f"per number; NumPy {peer * 1e3:.1f} ms",
                flush=True,
            )


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--run", metavar="DIR", help="run folder with similarity.npy")
    parser.add_argument("--peers", action="store_true", help="install and time the peers")
    parser.add_argument("--peer-python", metavar="PYTHON", help="interpreter that has them")
    options = parser.parse_args()
    header("a pass over the matrix reads it once from memory: 9 MB at N = 150, Q = 15,000")
    if options.run:
        v = np.ascontiguousarray(np.load(f"{options.run}/similarity.npy"))
        print(f"matrix of {options.run}, {v.shape[0]} x {v.shape[1]}")
    else:
        v = generated(150, 15_000)
        print("generated matrix, 150 x 15000; real ones are another matter")
    r = options.repeat
    core = prepared(v)

    best(
        "random, 100,000 draws, M = 5, with bound",
        lambda: scp.select(v, 5, method="random"),
        0.5,
        r,
    )
    best(
        "  greedy + swap, M = 5, prepared problem",
        lambda: _core.select_swap(core.core, 5, _core.select_greedy(core.core, 5)),
        0.01,
        r,
    )
    greedy = best("  greedy, M = 5, preparation included", lambda: greedy_rows(v, 5), 0.01, r)
    best("swap with bound, all included, M = 5", lambda: scp.select(v, 5), 0.5, r)
    for m, limit in ((3, 1.0), (5, 20.0)):
        best(f"proved optimum, M = {m}", lambda m=m: scp.select(v, m, method="exact"), limit, 1)
    s = scp.select(v, 5, method="exact")
    print(f"  M = 5: score {s.score:.5f}, proven {s.proven}; swap {scp.select(v, 5)}")
    large = generated(609, 60_900, 1)
    start = time.perf_counter()
    s = scp.select(large, 50)
    print(
        f"N = 609, Q = 60,900, M = 50: {time.perf_counter() - start:.2f} s with bound, "
        f"gap {s.gap:.2%} (reach 3 %)"
    )
    problem = prepared(large)
    best(
        "  greedy + swap, M = 50, prepared problem",
        lambda: _core.select_swap(problem.core, 50, _core.select_greedy(problem.core, 50)),
        1.0,
        1,
    )
    shapes()
    if not options.peers:
        return
    mine = sorted(scp.select(v, 5, method="greedy").selected.tolist())
    peer = None
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/v.npy", v)
        square = generated(2000, 2000)
        square = (square + square.T) / 2
        np.save(f"{folder}/square.npy", square)
        small = np.ascontiguousarray(v[:, :: max(v.shape[1] // 300, 1)])
        np.save(f"{folder}/small.npy", small)
        for name, script in {**GREEDY_PEERS, **EXACT_PEERS}.items():
            needs = [name, "scikit-learn"] if name == "apricot-select" else [name]
            python, missing = interpreter(needs, options.peer_python)
            if missing:
                print("peer not installed:", missing[0])
                continue
            try:
                if name in GREEDY_PEERS:
                    t, rows = json.loads(run(python, script + TIMED, f"{folder}/v.npy", "5"))
                    if name == "apricot-select":
                        own = scp.select(square, 5, method="greedy").selected.tolist()
                        timed = seconds(lambda: greedy_rows(square, 5), 3)
                        print(
                            f"{name}, 2000 x 2000: {t * 1e3:.1f} ms, same set: "
                            f"{rows == sorted(own)}; ours {timed * 1e3:.1f} ms"
                        )
                        continue
                    print(f"{name}: {t * 1e3:.1f} ms, same set: {rows == mine}")
                    peer = t if peer is None else min(peer, t)
                else:
                    t, rows, status = json.loads(
                        run(python, script, f"{folder}/small.npy", "3", "120").splitlines()[-1]
                    )
                    start = time.perf_counter()
                    own = scp.select(small, 3, method="exact")
                    print(
                        f"{name}, M = 3 on {small.shape[1]} clients: {t:.1f} s, {status}, same "
                        f"set: {rows == sorted(own.selected.tolist())}; ours "
                        f"{time.perf_counter() - start:.3f} s"
                    )
            except Exception as error:
                print(f"{name}: {error}")
    if peer is not None:
        finish(options, greedy, peer)


if __name__ == "__main__":
    main()
