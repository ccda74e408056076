"""The gradient pyramid in float64 (csrc/include/scp/gradient.h)."""

from __future__ import annotations

import numpy as np


def _pool(maps: np.ndarray, r: int, axis: int) -> np.ndarray:
    """Tent of half width r at corners k = 0 .. cells + 2, corner k between cells k-2 and k-1."""
    maps = np.moveaxis(maps, axis, 0)
    pixels = len(maps)
    weights = (1 - np.abs(np.arange(2 * r) + 0.5 - r) / r) / r
    padded = np.concatenate(
        [np.zeros((2 * r, *maps.shape[1:])), maps, np.zeros((2 * r, *maps.shape[1:]))]
    )
    out = [
        weights @ padded[k * r : k * r + 2 * r].reshape(2 * r, -1) for k in range(pixels // r + 3)
    ]
    return np.moveaxis(np.reshape(out, (-1, *maps.shape[1:])), 0, axis)


def gradient_pyramid(image: np.ndarray, levels: int, channels: int):
    """Features [cells][C] and norms [cells] of one image [H][W]."""
    image = image.astype(np.float64)
    height, width = image.shape
    angles = 2 * np.pi * np.arange(channels // 16) / (channels // 16)
    features, norms = [], []
    for d in range(levels):
        stride = 2 ** (levels - d)
        f = max(stride // 4, 1)
        r = stride // f
        small = image.reshape(height // f, f, width // f, f).mean((1, 3))
        p = np.pad(small, 1, mode="edge")
        gx = (p[1:-1, 2:] - p[1:-1, :-2]) / 2
        gy = (p[2:, 1:-1] - p[:-2, 1:-1]) / 2
        maps = np.maximum(gx[..., None] * np.cos(angles) + gy[..., None] * np.sin(angles), 0)
        pooled = np.sqrt(_pool(_pool(maps, r, 1), r, 0))
        rows, columns = height // stride, width // stride
        corners = [pooled[j : j + rows, i : i + columns] for j in range(4) for i in range(4)]
        described = np.concatenate(corners, axis=-1).reshape(rows * columns, channels)
        described -= described.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(described, axis=1)
        features.append(described / np.maximum(norm, 1e-30)[:, None])
        norms.append(norm)
    return np.concatenate(features), np.concatenate(norms)
