"""Landmarks that lie somewhat as those of a cephalogram do."""

from __future__ import annotations

import numpy as np

import scp
from scp.datasets.cephalometric import LANDMARKS


def heads(n=40, seed=0):
    """Points that lie somewhat as those of a head do, the 19 of the challenge; its right."""
    usual = [
        (835, 996), (1473, 1029), (1289, 1279), (604, 1228), (1375, 1654), (1386, 2019),
        (1333, 2200), (1263, 2272), (1305, 2252), (694, 1805), (1460, 1870), (1450, 1864),
        (1588, 1753), (1569, 2013), (1514, 1620), (1382, 2310), (944, 1506), (1436, 1569),
        (664, 1340),
    ]  # fmt: skip
    rng = np.random.default_rng(seed)
    xy = np.array(usual, float) + rng.normal(0, 40, (n, 19, 2))
    return scp.Landmarks([f"{i}" for i in range(n)], list(LANDMARKS), xy)
