"""A training step and feature extraction, against the same network in PyTorch on the CPU.

    python benchmarks/training.py laptop --json
    python benchmarks/training.py paper --batch 2 --steps 2 --json
    python benchmarks/training.py laptop --part extract
    python benchmarks/training.py --what vaal --steps 2 --json
    python benchmarks/training.py --what fabrec-1 --batch 16 --size 128 --json
    python benchmarks/training.py laptop --what byol --json
    python benchmarks/training.py --what scn --json

step: both views (images and crops of half the side) forward, the windowed loss at every level,
backward, Adam; ours additionally samples the points and crops. It is timed with and without the
preset's augmentation, which the peer leaves out; the ratio is that without. extract: one image to
its feature maps. network: forward and backward of both views alone, through the binding.
--what byol: a step by BYOL at every level (objective byol-levels) in place of InfoNCE; fabrec-1,
fabrec-2: a step of either stage of 3FabRec (benchmarks/fabrec.py); vaal: of VAAL
(benchmarks/vaal.py); scn: of the spatial configuration network (benchmarks/scn.py).

The peer is tried contiguous and channels_last, with the loss over all cells and over gathered
windows, float32 and bfloat16 autocast; the fastest form of each precision is then measured in turn
with ours. "peer" and "ratio" of the last line are those of float32; bfloat16 stands beside them.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import fabrec
import numpy as np
import scn
import vaal
from common import arguments, finish, header
from peers import Session, interpreter

from scp import _core, _testing
from scp.features import train
from scp.networks import PRESETS, build
from scp.training import TrainingOptions

PEER = r"""
import json, sys, time
folder, threads = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, sys.argv[3])
import numpy as np, torch
import torch_byol, torch_networks as peer
torch.set_num_threads(threads)
arrays = dict(np.load(folder + "/network.npz"))
channels = int(arrays["ints"][0][5])
held = (None, None)
def made(kind, form):
    global held
    if held[0] != (kind, form):
        held = (None, None)  # the one before goes first: memory
        cls = {"step": peer.Trainer, "network": peer.Trainer, "extract": peer.Extractor,
               "byol": torch_byol.Byol}[kind]
        held = ((kind, form), cls(arrays, form))
        return held[1], True
    return held[1], False
def both(trainer, data):
    with torch.autocast("cpu", torch.bfloat16, enabled=trainer.half):
        outputs = [o for x in data[:2] for o in
                   trainer.net(x.contiguous(memory_format=trainer.format))]
    trainer.adam.zero_grad(set_to_none=True)
    torch.autograd.backward(outputs, [torch.ones_like(o) for o in outputs])
for line in sys.stdin:
    ask = json.loads(line)
    data = peer.batch(ask["size"], ask["crop"], ask["batch"], ask["points"], channels)
    thing, fresh = made(ask["kind"], ask["form"])
    times = []
    for i in range(ask["steps"] + fresh):
        start = time.perf_counter()
        if ask["kind"] in ("step", "byol"):
            thing.step(*data)
        elif ask["kind"] == "network":
            both(thing, data)
        else:
            thing(data[0][:1])
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times[fresh:], "torch": torch.__version__}), flush=True)
"""

WHAT = ("infonce", "byol", "fabrec-1", "fabrec-2", "vaal", "scn")
OTHERS = {"fabrec-1": fabrec, "fabrec-2": fabrec, "vaal": vaal, "scn": scn}
LAYOUTS = ("contiguous", "channels_last")
PRECISIONS = ("float32", "bfloat16")


def forms(part, precision, what):
    """Names of the peer's forms of one precision."""
    if part == "extract":
        return [f"{precision} {layout}" for layout in LAYOUTS]
    losses = ("dense", "gather") if part == "step" and what != "byol" else ("dense",)
    return [f"{precision} {layout} {loss}" for layout in LAYOUTS for loss in losses]


class Ours:
    """Our side of each part: seconds of every one of `steps` repetitions."""

    def __init__(self, preset, network, options):
        self.network, self.o = network, options
        self.training = TrainingOptions().set(**PRESETS[preset].training)
        self.parameters, self.state = network.initial(0)
        rng = np.random.default_rng(0)
        self.images = rng.random((2 * options.batch, options.size, options.size), np.float32)
        self.plans = {}

    def step(self, steps, augment):
        changes = {} if augment else {"transforms": ()}
        if self.o.what == "byol":
            changes["objective"] = "byol-levels"
        settings = self.training.set(
            batch=self.o.batch, points=self.o.points, log_every=1, crop=0.5, **changes
        )
        stamps = []

        def event(e):
            if e["event"] == "step":
                stamps.append(time.perf_counter())

        train(
            self.images,
            self.network,
            settings,
            steps=steps + 2,
            progress=False,
            callback=event,
            initial=(self.parameters, self.state),
        )
        return np.diff(stamps)[1:].tolist()

    def plan(self, batch, side, training):
        key = batch, side, training
        if key not in self.plans:
            self.plans[key] = _core.plan_create(self.network.graph(), batch, side, side, training)
        return self.plans[key]

    def forward(self, batch, side, training):
        images = np.zeros((batch, side, side, self.network.image_channels), np.float32)
        images[:] = self.images[:batch, :side, :side, None]
        plan = self.plan(batch, side, training)
        state = self.state.copy()
        start = time.perf_counter()
        maps = _core.plan_forward(plan, self.parameters, state, images, 0, 0, None)
        return plan, maps, time.perf_counter() - start

    def network_only(self, steps):
        gradients, out = np.zeros_like(self.parameters), []
        for _ in range(steps + 1):
            total = 0.0
            for side in (self.o.size, self.o.size // 2):
                plan, maps, seconds = self.forward(self.o.batch, side, True)
                pulls = [np.ones_like(m) for m in maps]
                start = time.perf_counter()
                _testing.plan_backward(plan, gradients, None, self.parameters, pulls, None)
                total += seconds + time.perf_counter() - start
            out.append(total)
        return out[1:]

    def extract(self, steps):
        return [self.forward(1, self.o.size, False)[2] for _ in range(steps + 1)][1:]

    def measure(self, part, steps):
        if part == "step":
            return self.step(steps, augment=False)
        return self.network_only(steps) if part == "network" else self.extract(steps)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", choices=sorted(PRESETS), default="laptop")
    parser.add_argument("--part", choices=("step", "network", "extract"), default="step")
    parser.add_argument("--what", choices=WHAT, default="infonce")
    parser.add_argument("--batch", type=int, help="default 4; of fabrec 16, of vaal 2, of scn 1")
    parser.add_argument("--size", type=int, help="default 384; of fabrec 128, vaal 192, scn 256")
    parser.add_argument("--filters", type=int, default=64, help="of scn (published: 128)")
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5, help="steps measured in a turn")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has torch")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-bfloat16", action="store_true")
    options = parser.parse_args()
    if options.what in OTHERS:
        OTHERS[options.what].main(options)
        return
    options.batch, options.size = options.batch or 4, options.size or 384
    if options.what == "byol" and options.part != "step":
        parser.error("--what byol: of a step only")
    network = build(options.preset)
    ours = Ours(options.preset, network, options)
    macs = {s: int(network.shapes(s, s)[:, 3].sum()) for s in (options.size, options.size // 2)}
    work = (
        2 * macs[options.size]
        if options.part == "extract"
        else ((8 if options.what == "byol" else 6) * options.batch * sum(macs.values()))
    )  # BYOL: the target's forward too
    header(
        f"{work / 1e9:.1f} GFLOP of convolutions, {options.part} of {options.preset}, batch "
        f"{1 if options.part == 'extract' else options.batch}, {options.size} pixels; the goal "
        f"is 3x (laptop) or 2x (paper) PyTorch's float32, 1.5x extracting"
    )
    if options.no_peer:
        own = statistics.median(ours.measure(options.part, options.steps))
        print(f"ours {own:.4f} s, {work / own / 1e9:.0f} GFLOP/s")
        return
    python, missing = interpreter(["torch==2.13.0", "numpy"], options.torch)
    if missing:
        print("no peer:", "; ".join(missing))
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.3:
        print(
            f"warning: other work runs here (load average {load:.1f}); threads that wait for each "
            "other, PyTorch's above all, then tell nothing. Measure again on an idle machine"
        )
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            f"{folder}/network.npz",
            ints=network.ints,
            floats=network.floats,
            blocks=network.blocks,
            parameters=ours.parameters,
            state=ours.state,
        )
        here = str(Path(__file__).resolve().parent)
        with Session(python, PEER, folder, str(_core.threads()), here) as peer:
            compare(options, ours, peer, work, load)


def compare(options, ours, peer, work, load):
    """Finds the peer's best forms, measures in turn, prints."""

    def ask(form, steps):
        answer = peer.ask(
            kind="byol" if options.what == "byol" else options.part,
            form=form,
            size=options.size,
            batch=options.batch,
            crop=options.size // 2,
            points=options.points,
            steps=steps,
        )
        return answer["seconds"], answer["torch"]

    best, version = {}, ""
    for precision in PRECISIONS[: 1 if options.no_bfloat16 else 2]:
        tried = {}
        for form in forms(options.part, precision, options.what):
            seconds, version = ask(form, 3)
            tried[form] = min(seconds)
            print(f"  torch {version} {form}: {tried[form]:.4f} s", flush=True)
        best[precision] = min(tried, key=tried.get)
    turns = []
    for _ in range(options.repeat):
        turn = {"ours": statistics.median(ours.measure(options.part, options.steps))}
        for precision, form in best.items():
            turn[precision] = statistics.median(ask(form, options.steps)[0])
        turns.append(turn)
    turns.sort(key=lambda t: t["float32"] / t["ours"])
    own, slow = turns[len(turns) // 2]["ours"], turns[len(turns) // 2]["float32"]
    more = {
        "preset": options.preset,
        "part": options.part,
        "what": options.what,
        "batch": options.batch,
        "gflops": work / own / 1e9,
        "torch": version,
        "forms": best,
        "load": load,
    }
    for precision in best:
        ratios = [t[precision] / t["ours"] for t in turns]
        seconds, ratio = statistics.median(t[precision] for t in turns), statistics.median(ratios)
        more[f"{precision}_seconds"], more[f"{precision}_ratio"] = seconds, ratio
        print(
            f"{best[precision]}: {seconds:.4f} s, ratio {ratio:.2f} "
            f"(turns {min(ratios):.2f} to {max(ratios):.2f})"
        )
    if options.part == "step":
        more["augmented"] = statistics.median(ours.step(options.steps, augment=True))
        print(f"ours with augmentation: {more['augmented']:.4f} s")
    print(f"ours: {work / own / 1e9:.0f} GFLOP/s of direct convolution")
    finish(options, own, slow, **more)


if __name__ == "__main__":
    main()
