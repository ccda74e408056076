"""What `python benchmarks/training.py --what fabrec-1` and `fabrec-2` measure: a step of either
stage of 3FabRec, against PyTorch on the CPU in the faster of its two layouts, in turns.

fabrec-1: four networks, all terms on; four steps in a row, since players move every second and
fourth step. fabrec-2: features at rest, five layers learn, 68 landmarks. Ours also draws the views.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from common import finish, header
from peers import Session, interpreter

from scp import _core
from scp.faces import AutoencoderOptions, TransferOptions, networks, swaps_of

PEER = r"""
import json, sys, time
folder, threads = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, sys.argv[3])
import numpy as np, torch
import torch_fabrec as peer
torch.set_num_threads(threads)
arrays = dict(np.load(folder + "/networks.npz"))
held = (None, None)
for line in sys.stdin:
    ask = json.loads(line)
    data, fresh = peer.batch(ask["size"], ask["batch"], ask["landmarks"]), False
    if held[0] != ask["form"]:
        held, fresh = (None, None), True  # the one before goes first: memory
        held = (ask["form"], peer.KINDS[ask["kind"]](arrays, ask["form"]))
    times = []
    for i in range(ask["steps"] + 4 * fresh):
        start = time.perf_counter()
        held[1].step(*data)
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times[4 * fresh:], "torch": torch.__version__}), flush=True)
"""
FORMS = ("contiguous", "channels_last")
LANDMARKS, TURN = 68, 4


class Ours:
    def __init__(self, what, size, batch):
        rng = np.random.default_rng(0)
        faces = rng.integers(0, 256, (2 * batch, size * 5 // 4, size * 5 // 4, 3), dtype=np.uint8)
        self.step, self.nets = 0, {}
        if what == "fabrec-1":
            names = ("encoder", "generator", "latent_discriminator", "discriminator")
            made = networks.encoder(size), networks.generator(size)
            made += networks.latent_discriminator(), networks.discriminator()
            options = AutoencoderOptions(batch=batch, gan_from=0, structure_from=0).core()
            rest = faces, size, options
            make, measure = _core.autoencode_trainer, _core.autoencode_measure
        else:
            names, made = ("features", "head"), (networks.features(size), networks.head(LANDMARKS))
            points = rng.uniform(20, size, (len(faces), LANDMARKS, 2)).astype(np.float32)
            options = TransferOptions(batch=batch).core()
            self.moving = networks.moving(made[1])
            rest = self.moving, faces, points, swaps_of(LANDMARKS), size, options
            make, measure = _core.transfer_trainer, _core.transfer_measure
        self.nets = dict(zip(names, made, strict=True))
        graphs = [net.graph() for net in made]
        self.bytes, lengths = measure(*graphs, *rest)[:2]
        self.arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()}
        for name, net in self.nets.items():
            start = net.initial(0)
            self.arrays[f"{name}.parameters"][:], self.arrays[f"{name}.state"][:] = start
        self.trainer = make(*graphs, *rest)

    def steps(self, count):
        """Seconds of each step."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            _core.trainer_run(self.trainer, self.arrays, self.step, np.array([2e-5]))
            times.append(time.perf_counter() - start)
            self.step += 1
        return times

    def save(self, path):
        out = {}
        for name, net in self.nets.items():
            parameters, state = net.initial(0)
            out[f"{name}_ints"], out[f"{name}_floats"] = net.ints, net.floats
            out[f"{name}_blocks"] = net.blocks
            out[f"{name}_parameters"], out[f"{name}_state"] = parameters, state
        if "head" in self.nets:
            out["moving"] = self.moving
        np.savez(path, **out)


def main(options):
    """Measures --what of the options, prints, and ends with the line for programs."""
    batch, size = options.batch or 16, options.size or 128
    ours = Ours(options.what, size, batch)
    header(f"a step of {options.what}, batch {batch}, {size} pixels; the goal is 2x PyTorch")
    print(f"memory: {ours.bytes / 2**20:.0f} MiB")
    ours.steps(TURN)
    if options.no_peer:
        print(f"ours {statistics.mean(ours.steps(options.steps * TURN)):.4f} s a step")
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
    with tempfile.TemporaryDirectory() as folder:
        ours.save(f"{folder}/networks.npz")
        here = str(Path(__file__).resolve().parent)
        with Session(python, PEER, folder, str(_core.threads()), here) as peer:
            compare(options, ours, peer, batch, size, load)


def compare(options, ours, peer, batch, size, load):
    def ask(form):
        answer = peer.ask(
            kind=options.what, form=form, size=size, batch=batch, landmarks=LANDMARKS, steps=TURN
        )
        return statistics.mean(answer["seconds"]), answer["torch"]

    tried = {}
    for form in FORMS:
        tried[form], version = ask(form)
        print(f"  torch {version} float32 {form}: {tried[form]:.4f} s", flush=True)
    best = min(tried, key=tried.get)
    turns = [(statistics.mean(ours.steps(TURN)), ask(best)[0]) for _ in range(options.repeat)]
    ratios = sorted(slow / own for own, slow in turns)
    print(f"float32 {best}: turns {ratios[0]:.2f} to {ratios[-1]:.2f}")
    own, slow = (statistics.median(column) for column in zip(*turns, strict=True))
    finish(
        options,
        own,
        slow,
        what=options.what,
        batch=batch,
        size=size,
        form=best,
        median_ratio=statistics.median(ratios),
        load=load,
        bytes=ours.bytes,
    )
