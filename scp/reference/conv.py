"""Convolution of maps, its gradients, and how maps are read: the meaning of csrc/nn/conv.h.

Maps are [batch][height][width][channels], weights [kernel_y][kernel_x][in][out]. Any float dtype;
results have the dtype of the inputs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Geometry(NamedTuple):
    """How the kernel moves. transposed: the adjoint in the data, weights laid out all the same."""

    stride: int = 1
    dilation: int = 1
    pad_y: int = 0
    pad_x: int = 0
    transposed: bool = False


def size(geometry: Geometry, kernel: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Height and width of the output; 0 where the kernel does not fit."""
    result = []
    for length, taps, pad in zip((height, width), kernel, geometry[2:4], strict=True):
        extent = (taps - 1) * geometry.dilation + 1
        if geometry.transposed:
            out = (length - 1) * geometry.stride + extent - 2 * pad
        else:
            out = (length + 2 * pad - extent) // geometry.stride + 1
        result.append(max(out, 0))
    return result[0], result[1]


def deferred(x: Array, scale: Array, shift: Array, slope: Array) -> Array:
    """Normalisation and activation as they are read; coefficients [batch or 1][channels]."""
    t = scale[:, None, None] * x + shift[:, None, None]
    return np.where(t > 0, t, slope[:, None, None] * t)


def backward(
    dz: Array, raw: Array, scale: Array, shift: Array, slope: Array, norm: tuple | None = None
) -> Array:
    """The gradient at `raw` from the gradient dz behind its norm and activation.

    norm: the coefficients a, b, c of dx = a g + b x + c; None: dx = scale g.
    """
    t = scale[:, None, None] * raw + shift[:, None, None]
    g = dz * np.where(t > 0, np.ones_like(t), slope[:, None, None])
    if norm is None:
        return scale[:, None, None] * g
    a, b, c = (n[:, None, None] for n in norm)
    return a * g + b * raw + c


def _taps(dense: Array, kernel: tuple[int, int], coarse: tuple[int, int], g: Geometry):
    """For every tap (u, v): the pixels of the padded dense side that meet the coarse pixels."""
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            y, x = u * g.dilation, v * g.dilation
            yield (
                u,
                v,
                dense[
                    :,
                    y : y + (coarse[0] - 1) * g.stride + 1 : g.stride,
                    x : x + (coarse[1] - 1) * g.stride + 1 : g.stride,
                ],
            )


def _padded(x: Array, g: Geometry) -> Array:
    return np.pad(x, ((0, 0), (g.pad_y, g.pad_y), (g.pad_x, g.pad_x), (0, 0)))


def _gather(z: Array, weights: Array, coarse: tuple[int, int], g: Geometry) -> Array:
    """To the coarse side: y[i] = sum_u w[u]^T z[i stride + u dilation - pad]."""
    out = np.zeros((len(z), *coarse, weights.shape[3]), z.dtype)
    for u, v, pixels in _taps(_padded(z, g), weights.shape[:2], coarse, g):
        out += pixels @ weights[u, v]
    return out


def _scatter(dy: Array, weights: Array, dense: tuple[int, int], g: Geometry) -> Array:
    """The adjoint of gather, to the dense side."""
    height, width = dense[0] + 2 * g.pad_y, dense[1] + 2 * g.pad_x
    out = np.zeros((len(dy), height, width, weights.shape[2]), dy.dtype)
    for u, v, pixels in _taps(out, weights.shape[:2], dy.shape[1:3], g):
        pixels += dy @ weights[u, v].T
    return out[:, g.pad_y : height - g.pad_y, g.pad_x : width - g.pad_x]


def forward(x: Array, weights: Array, bias: Array | None, geometry: Geometry) -> Array:
    """[B][H][W][in] to [B][height][width][out] of `size`."""
    to = size(geometry, weights.shape[:2], *x.shape[1:3])
    if geometry.transposed:
        y = _scatter(x, weights.swapaxes(2, 3), to, geometry)
    else:
        y = _gather(x, weights, to, geometry)
    return y if bias is None else y + bias


def backward_data(dy: Array, weights: Array, geometry: Geometry, height: int, width: int) -> Array:
    """The gradient at an input of that size, from the gradient at the output."""
    if geometry.transposed:
        return _gather(dy, weights.swapaxes(2, 3), (height, width), geometry)
    return _scatter(dy, weights, (height, width), geometry)


def backward_weights(
    x: Array, dy: Array, geometry: Geometry, kernel: tuple[int, int]
) -> tuple[Array, Array]:
    """The gradients at weights and bias."""
    dense, coarse = (dy, x) if geometry.transposed else (x, dy)
    grads = np.zeros((*kernel, x.shape[3], dy.shape[3]), x.dtype)
    for u, v, pixels in _taps(_padded(dense, geometry), kernel, coarse.shape[1:3], geometry):
        sums = np.einsum("bijd,bijc->dc", pixels, coarse)
        grads[u, v] = sums.T if geometry.transposed else sums
    return grads, dy.sum((0, 1, 2))
