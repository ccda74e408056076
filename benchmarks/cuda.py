"""Similarity and selection on a GPU: against the CPU, and the dense product against cuBLAS, PyTorch
eager and torch.compile on the same GPU (where PyTorch with CUDA is installed).

    python benchmarks/cuda.py [FOLDER | phantom] [--queries 14717] [--images N] [--json]

With a folder (or phantom): gradient features at the images' key points; without: random pyramids.
Without a GPU it says why and ends well.
"""

import sys

import numpy as np
from common import arguments, finish, header, seconds

from scp import FeaturePyramid, GradientExtractor, datasets, devices, match, select
from scp.keypoints import Pool
from scp.similarity import DeviceSearch

LEVELS, CHANNELS, HEIGHT, WIDTH = 5, 64, 12, 12


def pyramids(count: int, rng) -> list[FeaturePyramid]:
    """Smooth random pyramids: children resemble their parent."""
    out = []
    for _ in range(count):
        maps = [rng.standard_normal((HEIGHT, WIDTH, CHANNELS), dtype=np.float32)]
        for d in range(1, LEVELS):
            noise = rng.standard_normal((HEIGHT << d, WIDTH << d, CHANNELS), dtype=np.float32)
            maps.append(maps[-1].repeat(2, 0).repeat(2, 1) + 0.5 * noise)
        out.append(FeaturePyramid.from_levels(maps))
    return out


def from_images(data: str, count: int, queries: int):
    """Gradient pyramids of `count` images, and the first `queries` of their key points."""
    extractor = GradientExtractor(channels=CHANNELS)
    if data == "phantom":
        pool = Pool(datasets.phantom(count, seed=0), extractor, count=100)
    else:
        pool = Pool(datasets.folder(data), extractor, count=100)
    images = [extractor.pyramid(pool.image(i)) for i in range(min(count, len(pool.points)))]
    parts = [p.at(pool.points[i]) for i, p in enumerate(images)]
    vectors, norms = (np.concatenate(a) for a in zip(*parts, strict=True))
    return images, *(np.ascontiguousarray(a[:queries]) for a in (vectors, norms))


def torch_forms(pyramid, queries):
    """(name, function) of the ways to find the same maxima with PyTorch, in bfloat16."""
    try:
        import torch
    except ImportError:
        return
    if not torch.cuda.is_available():
        return
    place = {"device": "cuda", "dtype": torch.bfloat16}
    cells, first = [], 0
    for d in range(LEVELS):
        size = HEIGHT * WIDTH << 2 * d
        cells.append(torch.as_tensor(pyramid.features[first : first + size], **place))
        first += size
    q = torch.as_tensor(queries, **place)

    def products():  # cuBLAS alone: one matrix product a level, nothing else
        for d in range(LEVELS):
            for block in q[:, d].split(1024):
                block @ cells[d].T
        torch.cuda.synchronize()

    def whole(q):
        product = None
        for d in range(LEVELS):
            c = (q[:, d] @ cells[d].T).clamp(0, 1).view(len(q), HEIGHT << d, WIDTH << d)
            if product is not None:
                c = c * product.repeat_interleave(2, 1).repeat_interleave(2, 2)
            product = c
        return product.flatten(1).max(1)

    compiled = torch.compile(whole)

    def run(function):
        for block in q.split(1024):
            function(block)
        torch.cuda.synchronize()

    yield "cuBLAS products only", products
    yield "PyTorch eager", lambda: run(whole)
    yield "torch.compile", lambda: run(compiled)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", help="a folder of images, or: phantom")
    parser.add_argument("--queries", type=int, default=14_717)
    parser.add_argument("--images", type=int, help="150 of a folder, 8 random ones")
    options = parser.parse_args()
    header("55 % of the bf16 peak in similarity (docs/lab/gpu.md)")
    if not devices.devices():
        print("no GPU:", *devices.describe())
        sys.exit(0)
    device = devices.devices()[0]
    print(device)
    rng = np.random.default_rng(0)
    if options.data:
        images, queries, norms = from_images(options.data, options.images or 150, options.queries)
    else:
        images = pyramids(options.images or 8, rng)
        height, width = images[0].size
        points = rng.uniform(0, [width, height], (options.queries, 2)).astype(np.float32)
        queries, norms = (np.ascontiguousarray(a) for a in images[0].at(points))
    few = queries[:256], norms[:256]
    for mode in ("bilinear", "nearest"):
        search = DeviceSearch(0, queries, norms, HEIGHT, WIDTH, mode, 1e-3)
        values, places = search(images)
        ours = seconds(lambda search=search: search(images), options.repeat) / len(images)
        flops = 2.0 * CHANNELS * len(queries) * len(images[0].features)
        print(
            f"similarity, {mode}: {1e3 * ours:.3f} ms an image, {flops / ours / 1e12:.1f} TFLOP/s"
        )
        found = [match(p, *few, mode=mode, epsilon=1e-3, device="cpu")[:2] for p in images]
        side = WIDTH << (LEVELS if mode == "bilinear" else LEVELS - 1)
        same = all(
            np.array_equal(values[i, :256], v) and np.array_equal(places[i, :256], at @ [1, side])
            for i, (v, at) in enumerate(found)
        )
        cpu = seconds(lambda mode=mode: match(images[0], *few, mode=mode, device="cpu"), 3)
        cpu *= len(queries) / 256
        print(
            f"  CPU, pruned: {1e3 * cpu:.1f} ms an image, ratio {cpu / ours:.1f}; "
            f"first 256 queries: {'the same bits' if same else 'DIFFERENT'}"
        )
    peers = {}
    for name, function in torch_forms(images[0], queries):
        peers[name] = seconds(function, options.repeat, warm=2)
        print(f"{name}: {1e3 * peers[name]:.3f} ms an image, ratio {peers[name] / ours:.2f}")
    methods = [("random", 100_000), ("swap", 1)]
    if options.data:  # a random matrix has no structure that a proof could use
        methods.append(("exact", 1))
    else:
        values = rng.random((150, options.queries), dtype=np.float32)
    for method, draws in methods:
        work = {"method": method, "draws": draws}
        times = [
            seconds(
                lambda where=where, work=work: select(
                    values, min(5, len(values)), device=where, **work
                ),
                3,
            )
            for where in ("cuda", "cpu")
        ]
        print(
            f"select {method}: {times[0]:.4f} s, CPU {times[1]:.4f} s, "
            f"ratio {times[1] / times[0]:.1f}"
        )
    finish(options, ours, min(peers.values(), default=cpu), device=device.name)


if __name__ == "__main__":
    main()
