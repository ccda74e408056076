"""Our training step and PyTorch's on the CPU, in alternating turns: what vaal.py, fabrec.py and
scn.py have in common."""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from common import finish
from peers import Session, interpreter

from scp import _core

FORMS = ("contiguous", "channels_last")


class Ours:
    """A trainer of the core with its arrays, zeros until a subclass fills them.

    make, measure: of `scp._core`. rate: of each step.
    """

    def __init__(self, make, measure, given, rate):
        self.bytes, lengths = measure(*given)[:2]
        self.arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()}
        self.trainer, self.rate, self.step = make(*given), np.array([rate]), 0
        self.macs = 0  # of a step, where they are known

    def steps(self, count):
        """Seconds of each step."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            _core.trainer_run(self.trainer, self.arrays, self.step, self.rate)
            times.append(time.perf_counter() - start)
            self.step += 1
        return times

    def save(self, path):
        """What the peer needs of the networks, as .npz."""
        np.savez(path)


def compare(options, ours, peer, count, **question):
    """Measures, prints, and ends with the line for programs.

    peer: the peer's program. It gets a folder with networks.npz, the number of threads and the
    folder of these scripts; each line that it reads asks for steps in a form. count: steps of a
    turn. question: the rest of what is asked.
    """
    print(f"memory: {ours.bytes / 2**20:.0f} MiB beside the arrays")
    ours.steps(count)
    if options.no_peer:
        print(f"ours {statistics.mean(ours.steps(count)):.4f} s a step")
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
    with tempfile.TemporaryDirectory() as folder:
        ours.save(f"{folder}/networks.npz")
        with Session(python, peer, folder, str(_core.threads()), here) as session:
            _turns(options, ours, session, count, load, question)


def _turns(options, ours, session, count, load, question):
    def ask(form):
        answer = session.ask(form=form, steps=count, **question)
        return statistics.mean(answer["seconds"]), answer["torch"]

    tried = {}
    for form in FORMS:
        tried[form], version = ask(form)
        print(f"  torch {version} float32 {form}: {tried[form]:.4f} s", flush=True)
    best = min(tried, key=tried.get)
    turns = [(statistics.mean(ours.steps(count)), ask(best)[0]) for _ in range(options.repeat)]
    ratios = sorted(slow / own for own, slow in turns)
    print(f"float32 {best}: turns {ratios[0]:.2f} to {ratios[-1]:.2f}")
    own, slow = (statistics.median(column) for column in zip(*turns, strict=True))
    if ours.macs:
        print(f"ours: {2 * ours.macs / own / 1e9:.0f} GFLOP/s of direct convolution")
    more = {"torch": version, "form": best, "load": load, "bytes": ours.bytes}
    more["median_ratio"] = statistics.median(ratios)
    finish(options, own, slow, what=options.what, **question, **more)


# The beginning of a peer's program: `arrays`, `torch`, and the questions one after the other.
PEER = r"""
import json, sys, time
folder, threads = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, sys.argv[3])
import numpy as np, torch
torch.set_num_threads(threads)
arrays = dict(np.load(folder + "/networks.npz"))
def answer(make, data, warm):
    held = (None, None)
    for line in sys.stdin:
        ask = json.loads(line)
        given, fresh = data(ask), held[0] != ask["form"]
        if fresh:
            held = (None, None)  # the one before goes first: memory
            held = (ask["form"], make(ask))
        times = []
        for i in range(ask["steps"] + warm * fresh):
            start = time.perf_counter()
            held[1].step(*given)
            times.append(time.perf_counter() - start)
        left = times[warm * fresh:]
        print(json.dumps({"seconds": left, "torch": torch.__version__}), flush=True)
"""
