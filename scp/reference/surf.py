"""The fast-Hessian detector of SURF in NumPy; csrc/include/scp/surf.h states what it computes."""

from __future__ import annotations

import numpy as np


def surf(
    image: np.ndarray, threshold: float = 100.0, octaves: int = 4, octave_layers: int = 3
) -> np.ndarray:
    """Key points of uint8 image [H][W]: float64 [n][4] of x, y, filter side, response."""
    sums = np.zeros((image.shape[0] + 1, image.shape[1] + 1), np.int64)
    sums[1:, 1:] = image.astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    points = []
    for octave in range(octaves):
        step = 1 << octave
        lobes = [(2 << octave) * (k + 1) + 1 for k in range(octave_layers + 2)]
        stack = np.stack([response(sums, lobe, step) for lobe in lobes])
        points += _peaks(stack, lobes, step, image.shape, threshold)
    return np.array(points, np.float64).reshape(-1, 4)


def response(sums: np.ndarray, lobe: int, step: int) -> np.ndarray:
    """Determinant of one filter at every `step`-th pixel; 0 where it leaves the image.

    Args:
        sums: integral image, int64 [H + 1][W + 1].
        lobe: a third of the side of the filter, odd.
        step: pixels between samples.
    """
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    out = np.zeros((len(rows), len(columns)))
    half, thin, wide = (3 * lobe - 1) // 2, (lobe - 1) // 2, lobe - 1
    inside_y = (rows >= half) & (rows < height - half)
    inside_x = (columns >= half) & (columns < width - half)
    y, x = rows[inside_y][:, None], columns[inside_x][None]
    if y.size == 0 or x.size == 0:
        return out

    def box(up: int, down: int, left: int, right: int) -> np.ndarray:
        """Sum over rows y + up .. y + down and columns x + left .. x + right, ends included."""
        bottom, end = y + down + 1, x + right + 1
        return (
            sums[bottom, end] - sums[bottom, x + left] - sums[y + up, end] + sums[y + up, x + left]
        )

    xx = box(-wide, wide, -half, half) - 3 * box(-wide, wide, -thin, thin)
    yy = box(-half, half, -wide, wide) - 3 * box(-thin, thin, -wide, wide)
    xy = (
        box(-lobe, -1, -lobe, -1)
        + box(1, lobe, 1, lobe)
        - box(-lobe, -1, 1, lobe)
        - box(1, lobe, -lobe, -1)
    )
    area = lobe * lobe * 5.0 / 3.0
    xx, yy, xy = (v.astype(np.float64) for v in (xx, yy, xy))
    out[np.ix_(inside_y, inside_x)] = (xx * yy - 0.81 * (xy * xy)) * (1.0 / (area * area))
    return out


def _peaks(
    stack: np.ndarray, lobes: list[int], step: int, shape: tuple[int, int], threshold: float
) -> list[tuple[float, float, float, float]]:
    points = []
    height, width = shape
    for k, r, c in _candidates(stack, threshold):
        margin = (3 * lobes[k + 1] - 1) // 2 + step
        if not (margin <= r * step < height - margin and margin <= c * step < width - margin):
            continue
        cube = stack[k - 1 : k + 2, r - 1 : r + 2, c - 1 : c + 2]
        # The first of the largest, in the order layer, row, column.
        if cube.ravel().argmax() != 13:
            continue
        offset = _vertex(cube)
        if offset is None:
            continue
        dx, dy, ds = offset
        points.append(
            (
                c * step + dx * step,
                r * step + dy * step,
                3.0 * lobes[k] + ds * (3.0 * (lobes[k + 1] - lobes[k])),
                cube[1, 1, 1],
            )
        )
    return points


def _candidates(stack: np.ndarray, threshold: float):
    """(layer, row, column) above the threshold inside the stack, by row, layer, column."""
    inner = stack[1:-1, 1:-1, 1:-1] > threshold
    for r, k, c in np.argwhere(inner.transpose(1, 0, 2)):
        yield int(k) + 1, int(r) + 1, int(c) + 1


def _vertex(n: np.ndarray) -> tuple[float, float, float] | None:
    """(dx, dy, ds) of the vertex of the quadratic through n [3][3][3], or None when farther than
    one sample. Written out, not solved by a library, for the same rounding everywhere."""
    v = n[1, 1, 1]
    gx = (n[1, 1, 2] - n[1, 1, 0]) * 0.5
    gy = (n[1, 2, 1] - n[1, 0, 1]) * 0.5
    gs = (n[2, 1, 1] - n[0, 1, 1]) * 0.5
    xx = n[1, 1, 2] + n[1, 1, 0] - 2.0 * v
    yy = n[1, 2, 1] + n[1, 0, 1] - 2.0 * v
    ss = n[2, 1, 1] + n[0, 1, 1] - 2.0 * v
    xy = (n[1, 2, 2] - n[1, 2, 0] - n[1, 0, 2] + n[1, 0, 0]) * 0.25
    xs = (n[2, 1, 2] - n[2, 1, 0] - n[0, 1, 2] + n[0, 1, 0]) * 0.25
    ys = (n[2, 2, 1] - n[2, 0, 1] - n[0, 2, 1] + n[0, 0, 1]) * 0.25
    a, b, c = yy * ss - ys * ys, xs * ys - xy * ss, xy * ys - yy * xs
    d, e, f = xx * ss - xs * xs, xy * xs - xx * ys, xx * yy - xy * xy
    det = xx * a + xy * b + xs * c
    if det == 0.0:
        return None
    offset = (
        -(a * gx + b * gy + c * gs) / det,
        -(b * gx + d * gy + e * gs) / det,
        -(c * gx + e * gy + f * gs) / det,
    )
    return offset if max(abs(o) for o in offset) <= 1.0 else None
