"""What `benchmarks/training.py --what vaal` measures: a step of VAAL (docs/how-to/active.md), two
moves of the autoencoder and one of the discriminator, on as many labelled as unlabelled
images. Ours also makes the crops.
"""

import numpy as np
import turns
from common import header

from scp import _core
from scp.baselines import ActiveNetworks, VaalOptions
from scp.networks.active import first_weights

PEER = (
    turns.PEER
    + r"""
import torch_vaal
def data(ask):
    return [torch.rand(2, ask["batch"], 3, ask["size"], ask["size"]) for _ in range(2)]
answer(lambda ask: torch_vaal.Vaal(ask["size"], ask["form"]), data, 1)
"""
)
IMAGES, LABELLED, MOVES = 20, 5, 2


class Ours(turns.Ours):
    def __init__(self, size, batch):
        options = VaalOptions(size=size, batch=batch, moves=MOVES).core()
        nets = ActiveNetworks().of("vaal", size, IMAGES)
        pool = np.random.default_rng(0).random((IMAGES, 2 * size, 2 * size), np.float32)
        rows = np.arange(IMAGES, dtype=np.uint32)
        graphs = [net.graph() for net in nets.values()]
        given = *graphs, pool, rows[:LABELLED], rows[LABELLED:], options
        super().__init__(_core.vaal_trainer, _core.vaal_measure, given, 5e-4)
        for name, net in nets.items():
            start = first_weights(net, 0)
            self.arrays[f"{name}.parameters"][:], self.arrays[f"{name}.state"][:] = start
        sides = {"encoder": size, "decoder": 1}
        macs = {n: int(nets[n].shapes(s, s)[:, 3].sum()) for n, s in sides.items()}
        self.macs = 2 * batch * (MOVES * 3 * sum(macs.values()) + macs["encoder"])


def main(options):
    """Measures, prints, and ends with the line for programs."""
    batch, size = options.batch or 2, options.size or 192
    ours = Ours(size, batch)
    header(
        f"{2 * ours.macs / 1e9:.0f} GFLOP of convolutions, a step of VAAL, batch {batch}, {size} "
        "pixels; the goal is 2x PyTorch"
    )
    turns.compare(options, ours, PEER, options.steps, size=size, batch=batch)


if __name__ == "__main__":
    raise SystemExit("python benchmarks/training.py --what vaal")
