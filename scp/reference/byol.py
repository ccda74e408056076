"""BYOL in NumPy: the twin of csrc/train/byol.c, one step of it.

A network is (layers, blocks, outputs) of a `scp.networks.Network`; arrays are those of the core's
trainer by name, float64 where gradients are checked.
"""

from __future__ import annotations

import numpy as np

from .nn import Twin
from .training import cell_of


def cells_of(crop_points, image_points, shapes, height, width, side):
    """Indices (item, row, column) of all pairs in the maps of image and crop view, of shapes
    [B][H_d][W_d][C]; a pair that was not found repeats the next that was."""
    big, small = shapes
    found = [k for k in np.ndindex(crop_points.shape[:2]) if crop_points[k][0] >= 0]
    image, crop = [], []
    for k in np.ndindex(crop_points.shape[:2]):
        b, p = k = next((f for f in found if f >= k), found[0])
        x, y = crop_points[b, p]
        crop.append((b, y * small[1] // side, x * small[2] // side))
        row = cell_of(image_points[b, p, 1], height, big[1])
        image.append((b, row, cell_of(image_points[b, p, 0], width, big[2])))
    return [tuple(np.array(cells).T) for cells in (image, crop)]


def values(arrays, model, part=slice(None), count=1):
    """Parameters and state of a model, or of one of the `count` networks that it holds."""
    names = (f"{model}.{what}" if model else what for what in ("parameters", "state"))
    return [arrays[name].reshape(count, -1)[part].reshape(-1) for name in names]


def step(network, head, arrays, views, pairs, sizes, options):
    """Losses of the levels, and the gradients of their weighted mean by model.

    views: image and crop view, [B][H][W][C]. pairs: crop_points, image_points. sizes: height,
    width, side. options: objective, level_weights. Running statistics move in place.
    """
    all_levels = options["objective"] == "byol-levels"
    levels = range(len(network[2]))[None if all_levels else -1 :]
    weights = options["level_weights"] or [1.0] * len(levels)

    def project(prefix, view):
        """The network and all projectors on one view, with the cells of each level."""
        net = Twin(*network, *values(arrays, prefix.rstrip(".")))
        maps, heads, projections = net.forward(views[view]), [], []
        for d, level in enumerate(levels):
            at = cells[d][view]
            heads.append(Twin(*head, *values(arrays, f"{prefix}projectors", d, len(levels))))
            projections.append(heads[d].forward(maps[level][at][None, None])[0])
        return net, maps, heads, projections

    probes = [Twin(*network, arrays["parameters"], arrays["state"].copy()) for _ in views]
    shapes = [[m.shape for m in twin.forward(v)] for twin, v in zip(probes, views, strict=True)]
    cells = [cells_of(*pairs, [shapes[0][d], shapes[1][d]], *sizes) for d in levels]

    targets = [project("target.", view)[3] for view in (0, 1)]
    sides = [project("", view) for view in (0, 1)]
    predictors = [[Twin(*head, *values(arrays, "predictor")) for _ in levels] for _ in views]
    losses = np.zeros(len(levels))
    gradients = {m: np.zeros_like(values(arrays, m)[0]) for m in ("", "projectors", "predictor")}
    parts = gradients["projectors"].reshape(len(levels), -1)
    for view, (net, maps, heads, projections) in enumerate(sides):
        changes = [np.zeros_like(m) for m in maps]
        for d, level in enumerate(levels):
            predictor = predictors[view][d]
            apart = predictor.forward(projections[d])[0] - targets[1 - view][d]
            losses[d] += (apart**2).mean()
            slope = weights[d] / len(levels) * 2 * apart / apart.size
            more, back = predictor.backward([slope])
            gradients["predictor"] += more
            more, back = heads[d].backward([back])
            parts[d] += more
            np.add.at(changes[level], cells[d][view], back[0, 0])
        gradients[""] += net.backward(changes)[0]
    return losses, gradients
