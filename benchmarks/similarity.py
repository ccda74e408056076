"""Similarity of all key points in all images, against the best PyTorch CPU form of the same thing.

    python benchmarks/similarity.py ../shared/data/cephalometric      (or: phantom)

Features lie in memory on both sides. The peer is timed on --peer-queries queries in --peer-images
images, alternating with ours; its forms: einsum, then nearest upsampling by interpolate or by
in-place multiplication of blocks, then max or amax; float32 and bfloat16; several chunk sizes. The
fastest counts.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from common import arguments, finish, header, seconds
from peers import interpreter, run

import scp
from scp import _core
from scp.keypoints import Pool

PEER = r"""
import json, sys, time
import numpy as np, torch
folder, repeat = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(int(sys.argv[3]))
features, queries = np.load(folder + "/features.npy"), np.load(folder + "/queries.npy")
cells, sides = json.load(open(folder + "/grid.json"))
def forms(F, T, chunk, how, last):
    values = []
    for s in range(0, len(T[0]), chunk):
        product = None
        for d, G in enumerate(sides):
            c = torch.einsum("qc,nc->qn", T[d][s:s + chunk], F[d]).clamp_(0, 1)
            if how == "interpolate":
                c = torch.nn.functional.interpolate(c.view(-1, 1, G, G), size=sides[-1])
                product = c if product is None else product.mul_(c)
                continue
            if product is not None:
                c = c.view(-1, G // 2, 2, G // 2, 2)
                c.mul_(product.view(-1, G // 2, 1, G // 2, 1))
            product = c.reshape(-1, G * G)
        product = product.flatten(1)
        values.append(product.max(1)[0] if last == "max" else product.amax(1))
    return torch.cat(values)
out = {}
with torch.inference_mode():
    for dtype in ("float32", "bfloat16"):
        t = getattr(torch, dtype)
        T = [torch.from_numpy(queries[:, d].copy()).to(t) for d in range(len(sides))]
        images = [[torch.from_numpy(f[cells[d]:cells[d + 1]].copy()).to(t)
                   for d in range(len(sides))] for f in features]
        for how in ("blocks", "interpolate"):
            for last in ("max", "amax"):
                for chunk in (32, 64, 128) if how == "blocks" else (16, 64):
                    if dtype == "bfloat16" and (how, chunk) != ("blocks", 64):
                        continue
                    first = time.perf_counter()
                    value = forms(images[0], T, chunk, how, last)
                    fastest = min(out.values(), default=(9e9,))[0]
                    if time.perf_counter() - first > 3 * fastest:
                        continue
                    times = []
                    for r in range(repeat):
                        s = time.perf_counter()
                        for F in images:
                            forms(F, T, chunk, how, last)
                        times.append((time.perf_counter() - s) / len(images))
                    median = sorted(times)[repeat // 2]
                    out[f"{dtype} {how} {last} chunk {chunk}"] = median, value[:50].tolist()
best = min(out, key=lambda k: out[k][0])
exact = next(v for k, v in out.items() if k.startswith("float32"))
print(json.dumps({"best": best, "seconds": out[best][0], "all": {k: v[0] for k, v in out.items()},
                  "values": exact[1], "torch": torch.__version__}))
"""


def planted(n, size=384, channels=64):
    """Pyramids as sharp as trained ones: one random anatomy in every image, noise on top."""
    extractor = scp.GradientExtractor(size=(size, size), channels=channels)
    rng = np.random.default_rng(0)
    anatomy = [
        rng.standard_normal((*(s << d for s in extractor.grid), channels), np.float32)
        for d in range(5)
    ]
    for i in range(n):
        rng = np.random.default_rng(i + 1)
        yield scp.FeaturePyramid.from_levels(
            [a + 0.8 * rng.standard_normal(a.shape, np.float32) for a in anatomy]
        )


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("data", help="root of the ISBI 2015 cephalograms, or: phantom")
    parser.add_argument("--n", type=int, default=150)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument(
        "--planted", action="store_true", help="synthetic features, sharp as trained"
    )
    parser.add_argument("--model", metavar="PATH", help="trained features: a file or a run")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has torch")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-queries", type=int, default=1000)
    parser.add_argument("--peer-images", type=int, default=2)
    options = parser.parse_args()
    if options.data == "phantom":
        data = scp.datasets.phantom(options.n, seed=0)
    else:
        data = scp.datasets.cephalometric(options.data, split="train")
    if options.model:
        extractor = scp.FeatureExtractor.load(options.model)
    else:
        extractor = scp.GradientExtractor()
    channels = extractor.channels
    pool = Pool(data, extractor, count=options.k)
    n = min(options.n, len(data))
    pyramids = (
        list(planted(n))
        if options.planted
        else [extractor.pyramid(pool.image(i)) for i in range(n)]
    )
    parts = [p.at(pool.points[i]) for i, p in enumerate(pyramids)]
    queries = np.ascontiguousarray(np.concatenate([q for q, _ in parts]))
    norms = np.ascontiguousarray(np.concatenate([m for _, m in parts]))

    few = queries[:320], norms[:320]
    dense = seconds(lambda: scp.match(pyramids[0], *few, path="dense"), 3) / len(few[0])
    cells = extractor.cells
    header(
        f"brute force is {2 * cells * channels / 1e6:.2f} MFLOP per (key point, image); our "
        f"dense kernels do {2 * cells * channels / dense / 1e9:.0f} GFLOP/s here, "
        f"{dense * 1e6:.0f} us each"
    )
    kind = "planted" if options.planted else extractor.name
    print(f"{kind} features, C = {channels}, {n} images, {len(queries)} key points")
    dots = brute = 0
    start = time.perf_counter()
    prepared = scp.Queries(queries, norms)
    for p in pyramids:
        stats = scp.match(p, prepared)[2]
        dots, brute = dots + stats["dots"], brute + stats["brute"]
    total = time.perf_counter() - start
    pairs = n * len(queries)
    print(
        f"ours: {total:.2f} s in all, {total / pairs * 1e6:.2f} us per (key point, image); "
        f"{dots / pairs:.0f} dot products of {cells}, {dots / brute:.2%} of all"
    )
    if options.no_peer:
        return
    python, missing = interpreter(["torch==2.13.0", "numpy"], options.torch)
    if missing:
        print("no peer:", "; ".join(missing))
        return
    count, images = min(options.peer_queries, len(queries)), min(options.peer_images, n)
    some = np.random.default_rng(0).choice(len(queries), count, replace=False)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/features.npy", np.stack([p.features for p in pyramids[:images]]))
        np.save(f"{folder}/queries.npy", queries[some])
        offsets = scp.features.cell_offsets(5, *extractor.grid).tolist()
        Path(folder, "grid.json").write_text(
            json.dumps([offsets, [extractor.grid[0] << d for d in range(5)]])
        )
        ratios, result = [], None
        for _ in range(options.repeat if options.repeat < 4 else 3):  # alternating
            first = pyramids[:8]
            ours = sum(seconds(lambda p=p: scp.match(p, prepared), 1, 0) for p in first)
            ours /= len(first) * len(queries)
            result = json.loads(run(python, PEER, folder, "3", str(_core.threads())))
            ratios.append((result["seconds"] / count / ours, ours, result["seconds"] / count))
    value = scp.match(pyramids[0], queries[some], norms[some], epsilon=0.0)[0]
    worst = np.abs(value[:50] - result["values"]).max()
    for name, t in sorted(result["all"].items(), key=lambda x: x[1]):
        print(f"  torch {result['torch']} {name}: {t / count * 1e6:.1f} us")
    print(f"largest difference of a value from the peer's float32: {worst:.1e}")
    _, ours, peer = sorted(ratios)[len(ratios) // 2]
    finish(options, ours, peer, dots=dots / brute, unit="seconds per (key point, image)")


if __name__ == "__main__":
    main()
