"""Pyramids and queries as the matching tests need them: easy, hard, and tied."""

import numpy as np

from scp import FeaturePyramid


def pyramid(rng, levels, height, width, channels, kind="random"):
    maps = []
    for d in range(levels):
        shape = height << d, width << d, channels
        x = rng.standard_normal(shape).astype(np.float32)
        if kind == "smooth" and d:  # children resemble their parent: pruning works
            x = maps[-1].repeat(2, 0).repeat(2, 1) + 0.5 * x
        if kind == "ties":
            x[:] = x[0, 0]
        maps.append(x)
    if kind == "holes":
        for x in maps:
            x[:: 1 + len(x) // 2] = 0
    return FeaturePyramid.from_levels(maps)


def queries(rng, p, count):
    height, width = p.size
    vectors, norms = p.at(rng.uniform(0, [width, height], (count, 2)).astype(np.float32))
    mixed = vectors + 0.4 * rng.standard_normal(vectors.shape).astype(np.float32)
    mixed /= np.maximum(np.linalg.norm(mixed, axis=2, keepdims=True), 1e-9)
    half = count // 2
    vectors = np.concatenate([vectors[:half], mixed[half:]]).astype(np.float32)
    return np.ascontiguousarray(vectors), np.ascontiguousarray(norms)
