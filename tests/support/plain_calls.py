"""A call of each function of scp._core and scp._testing that works, for tests that change it."""

from __future__ import annotations

import numpy as np

from scp import _core
from scp.networks import active

RNG = np.random.default_rng(0)
F = np.float32


def real(*shape) -> np.ndarray:
    return RNG.random(shape, F)


def unit(*shape) -> np.ndarray:
    v = real(*shape)
    return (v / np.linalg.norm(v, axis=-1, keepdims=True)).astype(F)


def network(*rows) -> np.ndarray:
    """A graph from (operator, channels, kernel, stride, pad) after its input's channels."""
    table = np.zeros((len(rows), 20), np.int32)
    table[:, 1:5] = -1
    table[1:, 1] = range(len(rows) - 1)
    for i, (op, channels, kernel, stride, pad) in enumerate(rows):
        table[i, [0, 5, 6, 7, 8]] = op, channels, kernel, kernel, stride
        table[i, 9], table[i, 10:12] = kernel > 0, pad
    table[-1, 15] = 1
    return _core.graph_create(table)


def faces(images=3, side=40) -> np.ndarray:
    return RNG.integers(0, 256, (images, side, side, 3), dtype=np.uint8)


def face_labels(images=3) -> dict:
    return {"points": real(images, 2, 2) * 30, "swaps": np.array([1, 0], np.uint32)}


def autoencode() -> dict:
    conv, up, sigmoid, mean = 1, 2, 6, 12
    return {
        "encoder": network((0, 3, 0, 0, 0), (conv, 4, 8, 8, 0), (mean, 0, 0, 0, 0)),
        "generator": network((0, 4, 0, 0, 0), (up, 3, 32, 1, 0), (7, 0, 0, 0, 0)),
        "latent_discriminator": network((0, 4, 0, 0, 0), (conv, 1, 1, 1, 0), (sigmoid, *[0] * 4)),
        "discriminator": network((0, 3, 0, 0, 0), (conv, 1, 32, 1, 0), (sigmoid, *[0] * 4)),
        "faces": faces(),
        "side": 32,
        "options": {"batch": 2},
    }


def transfer() -> dict:
    conv, up = 1, 2
    return {
        "features": network((0, 3, 0, 0, 0), (conv, 4, 8, 8, 0)),
        "head": network((0, 4, 0, 0, 0), (conv, 4, 1, 1, 0), (up, 2, 4, 2, 1)),
        "moving": np.array([1, 2], np.uint32),
        "faces": faces(),
        **face_labels(),
        "side": 32,
        "options": {"batch": 2},
    }


def vaal() -> dict:
    return {
        "encoder": active.encoder(16, 6, (4, 6)).graph(),
        "decoder": active.decoder(16, 3, (4, 6)).graph(),
        "discriminator": active.perceptron(3, 1, 5).graph(),
        "pool": real(6, 20, 24),
        "labelled": np.array([1, 4], np.uint32),
        "unlabelled": np.array([0, 2, 3, 5], np.uint32),
        "options": {"size": 16, "batch": 2},
    }


def instances() -> dict:
    return {
        "encoder": active.encoder(16, 3, (4, 6)).graph(),
        "head": active.perceptron(3, 6, 5, classes=True).graph(),
        "pool": real(6, 20, 24),
        "options": {"size": 16, "batch": 2},
    }


# ---- a call of each function that works: it gets past the first checks ----


def layers() -> np.ndarray:
    """Input, 3 x 3 convolution, batch norm, ReLU; the last is read."""
    table = np.zeros((4, 20), np.int32)
    table[:, 1:5] = -1
    table[1:, 1] = range(3)
    table[:, 0] = 0, 1, 3, 5
    table[:2, 5] = 1, 3
    table[1, 6:12] = 3, 3, 1, 1, 1, 1
    table[1, 12] = 1
    table[3, 15] = 1
    floats = table.view(F)
    floats[2, 17:19] = 1e-5, 0.1
    return table


def graph(table=None):
    return _core.graph_create(layers() if table is None else table)


def labels(images=3) -> dict:
    return {
        "points": real(images, 2, 2) * 16,
        "weights": np.ones((images, 2), F),
        "labelled_rows": np.array([0], np.uint32),
        "pseudo_rows": np.arange(1, images, dtype=np.uint32),
    }


def supervise(images=3) -> dict:
    table = layers()
    table[1, 5] = 2
    return {
        "graph": graph(table),
        "pool": real(images, 16, 16),
        "points": real(images, 2, 2) * 16,
        "weights": np.ones((images, 2), F),
        "options": {"batch": 2},
    }


CONTRAST = {"batch": 2, "points": 4, "rotation": [25.0, 25.0], "elastic": [0.02, 0.02]}
REFINE = {"labelled": 1, "pseudo": 1, "rotation": [25.0, 25.0], "gamma": [0.3, 0.3]}


def problem_arguments(n=12, q=7) -> dict:
    place = np.arange(n, dtype=float)
    return {
        "values": real(n, q),
        "weights": np.full(q, 1 / q),
        "roles": np.zeros(n, np.uint8),
        "groups": np.arange(n, dtype=np.uint32) // 2,
        "quota": 1,
        "costs": np.ones(n),
        "budget": 5.0,
        "distances": np.abs(place[:, None] - place),
        "min_distance": 1.5,
    }


def plain_problem() -> object:
    return _core.select_problem(
        real(12, 7), np.full(7, 1 / 7), np.zeros(12, np.uint8), None, 1, None, 0.0, None, 0.0
    )


def queries():
    return _core.match_queries(unit(5, 2, 16), real(5, 2) + 1)


def refine_graph():
    table = layers()
    table[1, 5] = 6
    return graph(table)


def contrast_graph():
    """Two levels, as a training of features wants them."""
    table = np.zeros((5, 20), np.int32)
    table[:, 1:5] = -1
    table[:, 0] = 0, 8, 8, 1, 1
    table[1:, 1] = 0, 1, 2, 1
    table[0, 5] = 1
    table[3:, 5] = 16
    table[3:, 6:12] = 3, 3, 1, 1, 1, 1
    table[3:, 15] = 1
    return graph(table)


def trainer():
    return _core.contrast_trainer(contrast_graph(), real(3, 32, 32), CONTRAST)


def trainer_arrays() -> dict:
    lengths = _core.contrast_measure(contrast_graph(), real(3, 32, 32), CONTRAST)[1]
    return {name: np.zeros(length, F) for name, length in lengths.items()}


def maps(*shapes) -> tuple:
    return tuple(real(*s) for s in shapes)


def a_map() -> np.ndarray:
    return real(2, 6, 7, 3)


def plan(train=True):
    """One that has run, so that it may run backward."""
    made = _core.plan_create(graph(), 2, 8, 10, train)
    _core.plan_forward(made, real(36), real(6), real(2, 8, 10, 1), 1, 2)
    return made


GEOMETRY = (1, 1, 1, 1, False)
SET = np.array([0, 4], np.uint32)
PLAIN = {  # name: the arguments, made afresh for each call
    "threads": dict,
    "set_threads": lambda: {"count": 2},
    "isa": dict,
    "isas": dict,
    "random_words": lambda: {"seed": 1, "stream": 2, "count": 3},
    "random_subset": lambda: {"seed": 1, "stream": 2, "m": 3, "n": 5},
    "surf": lambda: {
        "image": (real(60, 70) * 255).astype(np.uint8),
        "threshold": 100.0,
        "octaves": 3,
        "octave_layers": 4,
    },
    "gradient_pyramid": lambda: {
        "features": np.zeros((2, 320, 64), F),
        "norms": np.zeros((2, 320), F),
        "images": real(2, 32, 32),
        "levels": 2,
    },
    "pyramid_pack": lambda: {
        "features": np.zeros((6, 16), F),
        "norms": np.zeros(6, F),
        "map": real(6, 5),
    },
    "match_queries": lambda: {"queries": unit(5, 2, 16), "query_norms": real(5, 2) + 1},
    "match": lambda: {
        "features": unit(60, 16),
        "norms": real(60) + 1,
        "queries": queries(),
        "height": 3,
        "width": 4,
        "bilinear": False,
        "path": "search",
        "epsilon": 1e-3,
    },
    "match_bytes": lambda: {
        "levels": 2,
        "channels": 16,
        "height": 3,
        "width": 4,
        "bilinear": False,
    },
    "select_problem": problem_arguments,
    "select_attach": lambda: {"problem": plain_problem(), "device": 0},
    "select_score": lambda: {"problem": plain_problem(), "set": SET.copy()},
    "select_explain": lambda: {"problem": plain_problem(), "set": SET.copy()},
    "select_next": lambda: {"problem": plain_problem(), "set": SET.copy()},
    "select_greedy": lambda: {"problem": plain_problem(), "m": 2},
    "select_swap": lambda: {"problem": plain_problem(), "m": 2, "set": SET.copy()},
    "select_random": lambda: {
        "problem": plain_problem(),
        "m": 2,
        "seed": 1,
        "draws": 50,
        "checkpoints": np.array([10, 50]),
    },
    "select_bound": lambda: {
        "problem": plain_problem(),
        "m": 2,
        "set": SET.copy(),
        "score": 0.1,
        "iterations": 20,
        "multipliers": np.full(7, np.nan, F),
    },
    "select_exact": lambda: {
        "problem": plain_problem(),
        "m": 2,
        "set": SET.copy(),
        "bound": 1.0,
        "multipliers": np.full(7, 0.1, F),
        "max_nodes": 50,
    },
    "select_enumerate": lambda: {
        "problem": plain_problem(),
        "set": SET.copy(),
        "multipliers": np.full(7, 0.1, F),
        "max_sets": 100,
    },
    "graph_create": lambda: {"table": layers()},
    "plan_bytes": lambda: {"graph": graph(), "batch": 1, "height": 8, "width": 9, "train": True},
    "plan_create": lambda: {"graph": graph(), "batch": 1, "height": 8, "width": 9, "train": True},
    "plan_forward": lambda: {
        "plan": plan(),
        "parameters": real(36),
        "state": real(6),
        "images": real(2, 8, 10, 1),
        "seed": 1,
        "step": 2,
    },
    "cuda_open": lambda: {"path": "/nonexistent/plugin.so"},
    "cuda_devices": dict,
    "cuda_matcher": lambda: {
        "queries": unit(5, 2, 16),
        "query_norms": real(5, 2) + 1,
        "height": 3,
        "width": 4,
        "device": 0,
        "bilinear": False,
        "epsilon": 1e-3,
        "max_memory": 1 << 20,
    },
    "cuda_match": lambda: {"matcher": None, "features": (unit(60, 16),), "norms": (real(60),)},
    "select_above": lambda: {
        "values": real(4, 9),
        "weights": np.ones(9),
        "floor": real(9),
        "cluster": np.arange(9, dtype=np.uint32) % 3,
        "clusters": 3,
    },
    "zcore": lambda: {
        "columns": real(4, 9),
        "shape": np.tile(np.array([-1, 0, 1], F), (4, 1)),
        "seed": 3,
        "draws": 20,
    },
    "vectors_values": lambda: {"left": real(5, 6), "right": real(4, 6), "gamma": 0.5},
    "vectors_excess": lambda: {
        "left": real(5, 6),
        "right": real(4, 6),
        "gamma": 0.0,
        "floors": real(2, 4),
        "weights": real(4),
    },
    "options": lambda: {"table": "train"},
    "trainer_run": lambda: {
        "trainer": trainer(),
        "arrays": trainer_arrays(),
        "first": 0,
        "rates": np.full(1, 1e-3),
    },
    "contrast_measure": lambda: {
        "graph": contrast_graph(),
        "pool": real(3, 32, 32),
        "options": dict(CONTRAST),
    },
    "contrast_trainer": lambda: {
        "graph": contrast_graph(),
        "pool": real(3, 32, 32),
        "options": dict(CONTRAST),
    },
    "refine_measure": lambda: {
        "graph": refine_graph(),
        "pool": real(3, 16, 16),
        **labels(),
        "options": dict(REFINE),
    },
    "refine_trainer": lambda: {
        "graph": refine_graph(),
        "pool": real(3, 16, 16),
        **labels(),
        "options": dict(REFINE),
    },
    "supervise_measure": supervise,
    "supervise_trainer": supervise,
    "autoencode_measure": autoencode,
    "autoencode_trainer": autoencode,
    "transfer_measure": transfer,
    "transfer_trainer": transfer,
    "vaal_measure": vaal,
    "vaal_trainer": vaal,
    "instances_measure": instances,
    "instances_trainer": instances,
    "crops": lambda: {
        "pool": real(6, 20, 24),
        "sources": np.array([1, 4], np.uint32),
        "options": {"size": 16},
        "channels": 3,
        "first": 0,
        "progress": None,
    },
    "heat_peaks": lambda: {"map": real(12, 12, 2), "landmarks": 2, "side": 24},
    "refine_vote": lambda: {
        "map": real(6, 7, 6),
        "landmarks": 2,
        "factor": 4,
        "vote": "weighted",
        "candidates": 9,
        "radius": 4.0,
        "window": 2.0,
    },
    # scp._testing
    "set_isa": lambda: {"name": None},
    "alloc_state": dict,
    "alloc_fail_at": lambda: {"n": 0},
    "pool_probe": lambda: {"tasks": 2, "microseconds": 1},
    "graph_blocks": lambda: {"graph": graph()},
    "plan_shapes": lambda: {"plan": plan()},
    "plan_backward": lambda: {
        "plan": plan(),
        "gradients": np.zeros(36, F),
        "input_gradient": np.zeros((2, 8, 10, 1), F),
        "parameters": real(36),
        "output_gradients": (real(2, 8, 10, 3),),
    },
    "functions": dict,
    "train_adam": lambda: {
        "parameters": real(4),
        "m": real(4),
        "v": real(4),
        "gradients": real(4),
        "step": 0,
        "rate": 1e-3,
        "options": {},
    },
    "train_sgd": lambda: {
        "parameters": real(4),
        "velocity": real(4),
        "gradients": real(4),
        "rate": 1e-3,
        "momentum": 0.9,
        "nesterov": True,
        "decay": 1e-4,
        "clip": 1.0,
    },
    "train_average": lambda: {"teacher": real(4), "student": real(4), "momentum": 0.9},
    "contrast_sample": lambda: {
        "pool": real(3, 32, 32),
        "options": dict(CONTRAST),
        "side": 16,
        "channels": 1,
        "step": 3,
    },
    "contrast_objective": lambda: {
        "image": maps((2, 8, 8, 16)),
        "crop": maps((2, 4, 4, 16)),
        "image_gradients": maps((2, 8, 8, 16)),
        "crop_gradients": maps((2, 4, 4, 16)),
        "crop_points": RNG.integers(0, 8, (2, 4, 2)).astype(np.int32),
        "image_points": real(2, 4, 2) * 15,
        "height": 16,
        "width": 16,
        "side": 8,
        "options": dict(CONTRAST),
    },
    "refine_sample": lambda: {
        "pool": real(3, 16, 16),
        **labels(),
        "options": dict(REFINE),
        "items": 2,
        "channels": 1,
        "step": 3,
    },
    "refine_objective": lambda: {
        "map": real(2, 4, 4, 6),
        "points": real(2, 2, 2) * 16,
        "weights": np.ones((2, 2), F),
        "height": 16,
        "width": 16,
        "radius": 4.0,
        "focal": 2.0,
    },
    "supervise_sample": lambda: {
        **{k: v for k, v in supervise().items() if k != "graph"},
        "items": 2,
        "step": 3,
    },
    "face_sample": lambda: {
        "faces": faces(),
        **face_labels(),
        "options": {"sigma": 2.0},
        "items": 2,
        "side": 32,
        "step": 3,
    },
    "structure": lambda: {
        "images": real(2, 32, 32, 3),
        "reconstructions": real(2, 32, 32, 3),
        "scale": 1.0,
    },
    "transfer_objective": lambda: {
        "map": real(2, 8, 8, 2),
        "points": real(2, 2, 2) * 16,
        "side": 16,
        "options": {"sigma": 2.0},
    },
    "supervise_objective": lambda: {
        "map": real(2, 8, 8, 2),
        "sigmas": real(2) + 1,
        "points": real(2, 2, 2) * 8,
        "weights": np.ones((2, 2), F),
        "integral": 100.0,
        "sigma_weight": 20.0,
    },
    "conv_workspace": lambda: {
        "x": a_map(),
        "weights": real(3, 3, 3, 5),
        "geometry": GEOMETRY,
        "train": True,
    },
    "conv_forward": lambda: {
        "y": np.zeros((2, 6, 7, 5), F),
        "x": a_map(),
        "weights": real(3, 3, 3, 5),
        "bias": real(5),
        "geometry": GEOMETRY,
        "deferred": None,
        "first_y": 0,
        "first_x": 0,
        "workspace": None,
    },
    "conv_backward_data": lambda: {
        "dz": a_map(),
        "accumulate": True,
        "dy": real(2, 6, 7, 5),
        "weights": real(3, 3, 3, 5),
        "geometry": GEOMETRY,
        "backward": None,
        "first_dz": 0,
        "first_dy": 0,
        "workspace": None,
    },
    "conv_backward_weights": lambda: {
        "weight_grads": real(3, 3, 3, 5),
        "bias_grads": real(5),
        "x": a_map(),
        "dy": real(2, 6, 7, 5),
        "geometry": GEOMETRY,
        "deferred": None,
        "backward": None,
        "first_x": 0,
        "first_dy": 0,
        "workspace": None,
    },
}
