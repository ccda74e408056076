"""Matching by brute force, in the order of operations that scp/match.h states (the oracle).

Everything is float32, rounded after each operation, so that results equal the core's to the bit.
"""

from __future__ import annotations

import numpy as np

f32 = np.float32
TINY = f32(1.17549435e-38)


def dots(query: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """<query [C], cells [n][C]> in the stated order of summation: float32 [n]."""
    part = np.zeros((len(cells), 16), f32)
    for c in range(0, cells.shape[1], 16):
        part = part + query[c : c + 16] * cells[:, c : c + 16]
    for half in (8, 4, 2, 1):
        part = part[:, :half] + part[:, half:]
    return part[:, 0]


def similarity(query, query_norm, cells, norms, epsilon) -> np.ndarray:
    """c_d = clamp(dot * n / (n + epsilon), 0, 1) for all cells of a level: the cosine of Eq. 5, as
    the authors' code computes it."""
    n = f32(query_norm) * norms
    c = dots(query, cells) * (n / np.maximum(n + f32(epsilon), TINY))
    return np.where(c > 0, np.minimum(c, f32(1)), f32(0)).astype(f32)


def upsample(c: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear by an integer factor, borders replicated, in the stated order."""

    def axis(size):
        source = np.maximum(
            (np.arange(size * factor, dtype=f32) + f32(0.5)) / f32(factor) - f32(0.5), f32(0)
        )
        low = source.astype(np.int64)
        return low, np.minimum(low + 1, size - 1), (source - low.astype(f32)).astype(f32)

    y0, y1, v = axis(c.shape[0])
    x0, x1, u = axis(c.shape[1])
    one = f32(1)
    upper = (one - u) * c[y0][:, x0] + u * c[y0][:, x1]
    lower = (one - u) * c[y1][:, x0] + u * c[y1][:, x1]
    return (one - v)[:, None] * upper + v[:, None] * lower


def match(features, norms, query, query_norms, height, width, bilinear=False, epsilon=1e-3):
    """Value and row-major index of the best position of one query [D][C] in one image.

    The query is a landmark of a template (Eq. 1 the index, Eq. 2 the value), or a key point that
    is searched in a template (Eq. 7 and Eq. 8).
    """
    levels, first, product = len(query), 0, None
    for d in range(levels):
        shape = height << d, width << d
        part = slice(first, first + shape[0] * shape[1])
        first = part.stop
        c = similarity(query[d], query_norms[d], features[part], norms[part], epsilon)
        c = c.reshape(shape)
        if bilinear:
            c = upsample(c, 2 ** (levels - d))
        elif product is not None:
            product = product.repeat(2, 0).repeat(2, 1)
        product = c if product is None else product * c
    return product.max(), int(product.argmax())
