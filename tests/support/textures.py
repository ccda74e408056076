"""A training as small as it can be: smooth textures, a little network, few steps."""

import numpy as np

from scp.networks import laptop
from scp.training import TrainingOptions

OPTIONS = TrainingOptions(batch=2, points=8, steps=8, log_every=3, checkpoint_seconds=0, window=4)


def network(channels: int = 1):
    return laptop(
        encoder=(16, 16, 16),
        depths=(0, 1, 1),
        decoder=(16, 16),
        channels=16,
        image_channels=channels,
    )


def pool(n: int = 5, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    out = np.zeros((n, height, width))
    for i in range(n):
        for _ in range(8):
            a, b, c = rng.uniform(-0.6, 0.6, 3)
            out[i] += np.sin(a * x + b * y + 9 * c)
    return ((out - out.min()) / (out.max() - out.min())).astype(np.float32)
