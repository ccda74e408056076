"""What `python benchmarks/training.py --what vaal` measures: a step of VAAL (docs/active.md), two
moves of the autoencoder and one of the discriminator, on as many labelled as unlabelled images,
against PyTorch on the CPU in the faster of its two layouts, in turns. Ours also makes the crops.
"""

import os
import statistics
import time
from pathlib import Path

import numpy as np
from common import finish, header
from peers import Session, interpreter

from scp import _core
from scp.baselines import ActiveNetworks, VaalOptions
from scp.networks.active import first_weights

PEER = r"""
import json, sys, time
threads = int(sys.argv[1])
sys.path.insert(0, sys.argv[2])
import torch, torch_vaal
torch.set_num_threads(threads)
held = (None, None)
for line in sys.stdin:
    ask = json.loads(line)
    data = [torch.rand(2, ask["batch"], 3, ask["size"], ask["size"]) for _ in range(2)]
    fresh = held[0] != ask["form"]
    if fresh:
        held = (None, None)  # the one before goes first: memory
        held = (ask["form"], torch_vaal.Vaal(ask["size"], ask["form"]))
    times = []
    for i in range(ask["steps"] + fresh):
        start = time.perf_counter()
        held[1].step(*data)
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times[fresh:], "torch": torch.__version__}), flush=True)
"""
FORMS = ("contiguous", "channels_last")
IMAGES, LABELLED, MOVES = 20, 5, 2


class Ours:
    def __init__(self, size, batch):
        options = VaalOptions(size=size, batch=batch, moves=MOVES).core()
        nets = ActiveNetworks().of("vaal", size, IMAGES)
        sides = {"encoder": size, "decoder": 1}
        macs = {n: int(nets[n].shapes(s, s)[:, 3].sum()) for n, s in sides.items()}
        self.macs = 2 * batch * (MOVES * 3 * sum(macs.values()) + macs["encoder"])
        rng = np.random.default_rng(0)
        pool = rng.random((IMAGES, 2 * size, 2 * size), np.float32)
        rows = np.arange(IMAGES, dtype=np.uint32)
        graphs = [net.graph() for net in nets.values()]
        given = *graphs, pool, rows[:LABELLED], rows[LABELLED:], options
        self.bytes, lengths = _core.vaal_measure(*given)
        self.arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()}
        for name, net in nets.items():
            start = first_weights(net, 0)
            self.arrays[f"{name}.parameters"][:], self.arrays[f"{name}.state"][:] = start
        self.trainer, self.step = _core.vaal_trainer(*given), 0

    def steps(self, count):
        """Seconds of each step."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            _core.trainer_run(self.trainer, self.arrays, self.step, np.array([5e-4]))
            times.append(time.perf_counter() - start)
            self.step += 1
        return times


def main(options):
    """Measures, prints, and ends with the line for programs."""
    batch, size = options.batch or 2, options.size or 192
    ours = Ours(size, batch)
    header(
        f"{2 * ours.macs / 1e9:.0f} GFLOP of convolutions, a step of VAAL, batch {batch}, {size} "
        "pixels; the goal is 2x PyTorch"
    )
    print(f"memory: {ours.bytes / 2**20:.0f} MiB beside the arrays")
    ours.steps(1)
    if options.no_peer:
        print(f"ours {statistics.median(ours.steps(options.steps)):.4f} s a step")
        return
    python, missing = interpreter(["torch==2.13.0", "numpy"], options.torch)
    if missing:
        print("no peer:", "; ".join(missing))
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.3:
        print(
            f"warning: other work runs here (load average {load:.1f}): measure on an idle machine"
        )
    here = str(Path(__file__).resolve().parent)
    with Session(python, PEER, str(_core.threads()), here) as peer:
        compare(options, ours, peer, batch, size, load)


def compare(options, ours, peer, batch, size, load):
    def ask(form):
        answer = peer.ask(form=form, size=size, batch=batch, steps=options.steps)
        return statistics.median(answer["seconds"]), answer["torch"]

    tried = {}
    for form in FORMS:
        tried[form], version = ask(form)
        print(f"  torch {version} float32 {form}: {tried[form]:.4f} s", flush=True)
    best = min(tried, key=tried.get)
    turns = [
        (statistics.median(ours.steps(options.steps)), ask(best)[0]) for _ in range(options.repeat)
    ]
    ratios = sorted(slow / own for own, slow in turns)
    print(f"float32 {best}: turns {ratios[0]:.2f} to {ratios[-1]:.2f}")
    own, slow = (statistics.median(column) for column in zip(*turns, strict=True))
    print(f"ours: {2 * ours.macs / own / 1e9:.0f} GFLOP/s of direct convolution")
    facts = {"what": "vaal", "batch": batch, "size": size, "load": load}
    finish(options, own, slow, **facts, torch=version, form=best)


if __name__ == "__main__":
    raise SystemExit("python benchmarks/training.py --what vaal")
