"""What `python benchmarks/training.py --what fabrec-1` and `fabrec-2` measure: a step of either
stage of 3FabRec.

fabrec-1: four networks, all terms on; four steps in a row, since players move every second and
fourth step. fabrec-2: features at rest, five layers learn, 68 landmarks. Ours also draws the views.
"""

import numpy as np
import turns
from common import header

from scp import _core
from scp.faces import AutoencoderOptions, TransferOptions, networks, swaps_of

PEER = (
    turns.PEER
    + r"""
import torch_fabrec as peer
def data(ask):
    return peer.batch(ask["size"], ask["batch"], ask["landmarks"])
answer(lambda ask: peer.KINDS[ask["kind"]](arrays, ask["form"]), data, 4)
"""
)
LANDMARKS, TURN = 68, 4


class Ours(turns.Ours):
    def __init__(self, what, size, batch):
        rng = np.random.default_rng(0)
        faces = rng.integers(0, 256, (2 * batch, size * 5 // 4, size * 5 // 4, 3), dtype=np.uint8)
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
        super().__init__(make, measure, (*(net.graph() for net in made), *rest), 2e-5)
        for name, net in self.nets.items():
            start = net.initial(0)
            self.arrays[f"{name}.parameters"][:], self.arrays[f"{name}.state"][:] = start

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
    question = {"kind": options.what, "size": size, "batch": batch, "landmarks": LANDMARKS}
    turns.compare(options, ours, PEER, TURN, **question)


if __name__ == "__main__":
    raise SystemExit("python benchmarks/training.py --what fabrec-1")
