"""What `python benchmarks/training.py --what scn` measures: a step of the spatial configuration
network (docs/how-to/supervised.md) on one image, 19 landmarks. Ours also bends and moves the image.
`--size 512 --batch 1` and `--filters 128` make it the published one; the default is scn-reduced.
"""

import numpy as np
import turns
from common import header

from scp import _core
from scp.networks.configuration import scn
from scp.refinement.options import SupervisedOptions

PEER = (
    turns.PEER
    + r"""
import torch_scn
def data(ask):
    size, batch = ask["size"], ask["batch"]
    return torch.rand(batch, 1, size, size), size * torch.rand(batch, ask["landmarks"], 2)
answer(lambda ask: torch_scn.Scn(arrays, ask["form"], ask["landmarks"]), data, 1)
"""
)
LANDMARKS, IMAGES = 19, 4


class Ours(turns.Ours):
    def __init__(self, size, batch, filters):
        self.net = scn(LANDMARKS, filters=filters)
        rng = np.random.default_rng(0)
        pool = rng.random((IMAGES, size, size), np.float32)
        points = (size * rng.random((IMAGES, LANDMARKS, 2))).astype(np.float32)
        options = SupervisedOptions(batch=batch).core()
        given = self.net.graph(), pool, points, np.ones((IMAGES, LANDMARKS), np.float32), options
        super().__init__(_core.supervise_trainer, _core.supervise_measure, given, 1e-6)
        start = np.concatenate([self.net.initial(0)[0], np.full(LANDMARKS, 2.5, np.float32)])
        self.arrays["parameters"][:] = start
        self.macs = 3 * batch * int(self.net.shapes(size, size)[:, 3].sum())

    def save(self, path):
        parameters, state = self.net.initial(0)
        parts = {"ints": self.net.ints, "floats": self.net.floats, "blocks": self.net.blocks}
        np.savez(path, parameters=parameters, state=state, **parts)


def main(options):
    """Measures, prints, and ends with the line for programs."""
    batch, size, filters = options.batch or 1, options.size or 256, options.filters
    ours = Ours(size, batch, filters)
    header(
        f"{2 * ours.macs / 1e9:.0f} GFLOP of convolutions, a step of SCN, {filters} filters, batch "
        f"{batch}, {size} pixels; the goal is 2x PyTorch"
    )
    question = {"size": size, "batch": batch, "landmarks": LANDMARKS}
    turns.compare(options, ours, PEER, options.steps, **question)


if __name__ == "__main__":
    raise SystemExit("python benchmarks/training.py --what scn")
