"""Convolution layers, forward and both gradients, against PyTorch on the CPU.

    python benchmarks/convolution.py [--layers narrow vgg other] [--batch N] [--fused]
                                     [--torch PYTHON]

The peer with channels first and channels last: the faster counts. --fused: ours does more, the
norm and the activation before it and the gradient through them, read on the way as in training.
Effective GFLOP/s: those of the direct sum, whichever way it is computed. Runs alternate between
ours and the peer; medians count.

The limit of a layer is the smaller of the measured peak of multiply-adds and the measured memory
bandwidth times the operations for each byte that has to be read or written once: forward x, w, y;
gradient of the data dy, y, w, dx; of the weights x, dy, y, dw. Winograd multiplies less than the
direct sum (4 times less in whole tiles), so a 3x3 layer may exceed its limit by that; a layer whose
maps lie in the caches may exceed a limit of bandwidth.
"""

import json
import statistics
import time

import numpy as np
from common import arguments, finish, header
from limits import Limits
from peers import interpreter, run

from scp import _core, _testing
from scp.reference.conv import Geometry, size

SAME = Geometry(1, 1, 1, 1)
HALF, TWICE = Geometry(2, 1, 1, 1), Geometry(2, 1, 1, 1, True)
LAYERS = {  # name: batch, height, width, in, out, kernel_y, kernel_x, geometry
    "narrow": {
        "3x3 1-16 at 384": (2, 384, 384, 1, 16, 3, 3, SAME),
        "3x3 16-16 at 384": (2, 384, 384, 16, 16, 3, 3, SAME),
        "3x3 32-32 at 192": (2, 192, 192, 32, 32, 3, 3, SAME),
        "3x3 64-64 at 96": (2, 96, 96, 64, 64, 3, 3, SAME),
        "3x3 64-64 at 12, batch 8": (8, 12, 12, 64, 64, 3, 3, SAME),
        "3x3 128-128 at 24, batch 4": (4, 24, 24, 128, 128, 3, 3, SAME),
    },
    "vgg": {
        "3x3 64-64 at 384": (1, 384, 384, 64, 64, 3, 3, SAME),
        "3x3 128-128 at 192": (1, 192, 192, 128, 128, 3, 3, SAME),
        "3x3 256-256 at 96": (1, 96, 96, 256, 256, 3, 3, SAME),
        "3x3 512-512 at 48": (1, 48, 48, 512, 512, 3, 3, SAME),
        "3x3 512-512 at 24": (1, 24, 24, 512, 512, 3, 3, SAME),
    },
    "other": {
        "1x1 16-16 at 384": (2, 384, 384, 16, 16, 1, 1, Geometry()),
        "1x1 64-64 at 192": (2, 192, 192, 64, 64, 1, 1, Geometry()),
        "1x1 256-64 at 48": (2, 48, 48, 256, 64, 1, 1, Geometry()),
        "1x3 32-32 at 192": (2, 192, 192, 32, 32, 1, 3, Geometry(1, 1, 0, 1)),
        "3x1 32-32 at 192": (2, 192, 192, 32, 32, 3, 1, Geometry(1, 1, 1, 0)),
        "3x3 64-64 at 96, dilation 2": (2, 96, 96, 64, 64, 3, 3, Geometry(1, 2, 2, 2)),
        "3x3 32-64 at 384, stride 2": (2, 384, 384, 32, 64, 3, 3, Geometry(2, 1, 1, 1)),
        "2x2 64-32 at 96, transposed": (2, 96, 96, 64, 32, 2, 2, Geometry(2, 1, 0, 0, True)),
    },
    "coder": {  # of VAAL, and of the auto-encoder of faces
        "4x4 128-256 at 96, stride 2": (2, 96, 96, 128, 256, 4, 4, HALF),
        "4x4 256-512 at 48, stride 2": (2, 48, 48, 256, 512, 4, 4, HALF),
        "4x4 512-1024 at 24, stride 2": (2, 24, 24, 512, 1024, 4, 4, HALF),
        "4x4 1024-512 at 12, transposed": (2, 12, 12, 1024, 512, 4, 4, TWICE),
        "4x4 256-128 at 48, transposed": (2, 48, 48, 256, 128, 4, 4, TWICE),
        "3x3 512-512 at 4, batch 16": (16, 4, 4, 512, 512, 3, 3, SAME),
        "3x3 256-256 at 8, batch 16": (16, 8, 8, 256, 256, 3, 3, SAME),
        "4x4 512-256 at 8, transposed, batch 16": (16, 8, 8, 512, 256, 4, 4, TWICE),
        "4x4 64-128 at 32, stride 2, batch 16": (16, 32, 32, 64, 128, 4, 4, HALF),
    },
}

PEER = r"""
import json, sys, time
import torch
torch.set_num_threads(int(sys.argv[3]))
layers, repeat, out = json.loads(sys.argv[1]), int(sys.argv[2]), {}
def median(f):
    f()
    times = []
    for _ in range(repeat):
        s = time.perf_counter()
        f()
        times.append(time.perf_counter() - s)
    return sorted(times)[repeat // 2]
for name, (b, h, w, c, o, ky, kx, (s, d, py, px, t)) in layers.items():
    best = None
    for form in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(b, c, h, w).to(memory_format=form)
        k = torch.randn((c, o, ky, kx) if t else (o, c, ky, kx)).to(memory_format=form)
        bias = torch.zeros(o)
        more = [s, s], [py, px], [d, d], t, [0, 0], 1
        with torch.inference_mode():
            forward = lambda: torch.ops.aten.convolution(x, k, bias, *more)
            dy = torch.randn_like(forward())
            backward = lambda m: torch.ops.aten.convolution_backward(dy, x, k, [o], *more, m)
            times = [median(forward), median(lambda: backward([True, False, False])),
                     median(lambda: backward([False, True, True]))]
        best = times if best is None else [min(p) for p in zip(best, times)]
    out[name] = best
print(json.dumps({"times": out, "torch": torch.__version__}))
"""


def gflop(layer) -> float:
    """2 times the multiply-adds of the direct sum, in 10^9."""
    b, h, w, c, o, ky, kx, g = layer
    oh, ow = (h, w) if g.transposed else size(g, (ky, kx), h, w)
    return 2 * b * oh * ow * c * o * ky * kx / 1e9


def limits(layer, machine: Limits) -> list[float]:
    """The roofline of the three directions."""
    b, h, w, c, o, ky, kx, g = layer
    oh, ow = size(g, (ky, kx), h, w)
    x, y, k = 4 * b * h * w * c, 4 * b * oh * ow * o, 4 * ky * kx * c * o
    moved = (x + k + y, 2 * y + k + x, x + 2 * y + k)
    return [machine.bound(gflop(layer), bytes_ / 1e9) for bytes_ in moved]


class Ours:
    """The three calls of one layer on maps as a network holds them."""

    def __init__(self, layer, fused: bool):
        b, h, w, c, o, ky, kx, self.g = layer
        rng = np.random.default_rng(0)
        up = lambda n: (n + 15) // 16 * 16  # noqa: E731
        oh, ow = size(self.g, (ky, kx), h, w)
        self.x = rng.standard_normal((b, h, w, c if c < 16 else up(c)), np.float32)
        self.y = rng.standard_normal((b, oh, ow, up(o)), np.float32)
        self.dy, self.dz = rng.standard_normal(self.y.shape, np.float32), np.zeros_like(self.x)
        self.w = rng.standard_normal((ky, kx, c, o), np.float32)
        self.dw, self.bias, self.db = np.zeros_like(self.w), *np.zeros((2, o), np.float32)
        of = lambda n: tuple(np.full((1, up(n)), v, np.float32) for v in (1, 0.1, 0.1))  # noqa: E731
        self.deferred = of(c) if fused and c >= 16 else None  # images are read as they are
        self.backward = (self.y.copy(), of(o), of(o)) if fused else None
        floats = _testing.conv_workspace(self.x, self.w, self.g, True)
        self.space = np.zeros(floats + 16, np.float32)

    def forward(self):
        _testing.conv_forward(
            self.y, self.x, self.w, self.bias, self.g, self.deferred, workspace=self.space
        )

    def data(self):
        _testing.conv_backward_data(
            self.dz, False, self.dy, self.w, self.g, self.backward, workspace=self.space
        )

    def weights(self):
        _testing.conv_backward_weights(
            self.dw,
            self.db,
            self.x,
            self.dy,
            self.g,
            self.deferred,
            self.backward,
            workspace=self.space,
        )


def timed(function, repeat: int) -> tuple[float, float]:
    """Seconds of a call: the median, and the least (a limit is a best too)."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times), min(times)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=list(LAYERS), default=list(LAYERS))
    parser.add_argument("--batch", type=int, help="images at once, instead of each layer's own")
    parser.add_argument("--fused", action="store_true", help="norm and activation on the way")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has torch")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--rounds", type=int, default=3, help="alternations of ours and the peer")
    options = parser.parse_args()
    layers = {k: v for group in options.layers for k, v in LAYERS[group].items()}
    if options.batch:
        layers = {k: (options.batch, *v[1:]) for k, v in layers.items()}
    machine = Limits(_core.threads())
    header(f"of {_core.threads()} threads, measured during the run, stated below")
    python, missing = (
        (None, []) if options.no_peer else interpreter(["torch==2.13.0", "numpy"], options.torch)
    )
    if missing:
        print("no peer:", "; ".join(missing))
        python = None
    mine, theirs, least = {n: [] for n in layers}, {n: [] for n in layers}, {}
    for _ in range(options.rounds):
        for name, layer in layers.items():
            ours = Ours(layer, options.fused)
            calls = ours.forward, ours.data, ours.weights
            if layer[3] < 16:  # the first layer of a network: nobody asks for that gradient
                calls = ours.forward, ours.weights
            for call in calls:
                call()
            machine.sample()
            medians, best = zip(*(timed(call, options.repeat) for call in calls), strict=True)
            mine[name].append(medians)
            least[name] = [min(t) for t in zip(best, least.get(name, best), strict=True)]
        if python:
            text = json.dumps(layers)
            result = json.loads(run(python, PEER, text, str(options.repeat), str(_core.threads())))
            for name, times in result["times"].items():
                theirs[name].append(times if layers[name][3] >= 16 else times[::2])
    print(
        f"limit:   float32 FMA peak {machine.peak:.0f} GFLOP/s, memory {machine.bandwidth:.1f} GB/s"
    )
    print(
        "effective GFLOP/s, medians of ours / peer (limit, our best call in % of it): forward, "
        "(gradient of the data,) of the weights"
    )
    total, rows = [0.0, 0.0], {}
    for name, layer in layers.items():
        n, a = gflop(layer), [statistics.median(t) for t in zip(*mine[name], strict=True)]
        b = [statistics.median(t) for t in zip(*theirs[name], strict=True)]
        b = b or [float("nan")] * len(a)
        bounds = limits(layer, machine)[:: 1 if len(a) == 3 else 2]
        total = [total[0] + sum(a), total[1] + sum(b)]
        rows[name] = {
            "ours": [n / p for p in a],
            "peer": [n / p for p in b],
            "limit": bounds,
            "best": [n / p for p in least[name]],
        }
        cells = "  ".join(
            f"{n / p:5.0f} /{n / q:4.0f} ({bound:3.0f}, {100 * n / best / bound:3.0f} %)"
            for p, q, bound, best in zip(a, b, bounds, least[name], strict=True)
        )
        print(f"{name:29s} {cells}  x{sum(b) / sum(a):.1f}", flush=True)
    finish(
        options,
        *total,
        peak=machine.peak,
        bandwidth=machine.bandwidth,
        layers=rows,
        unit="seconds of all layers, three directions",
    )


if __name__ == "__main__":
    main()
