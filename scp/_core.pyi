"""The C core. Arrays must have exactly the stated dtype and be C-contiguous; nothing is converted.

Every count is an int from 0 on (anything with __index__ will do). Errors name the argument:
TypeError for a wrong type or dtype, ValueError for a wrong value, shape or order, MemoryError,
InfeasibleError, or what a progress callback or signal handler raised.
"""

import os
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

Progress = Callable[[int, int], object]

class InfeasibleError(ValueError):
    """No set of images satisfies the constraints."""

# ---- threads, instruction sets ----

def threads() -> int: ...
def set_threads(count: SupportsIndex, /) -> None: ...
def isa() -> str: ...
def isas() -> list[str]: ...
def set_isa(name: str | None, /) -> None: ...

# ---- random numbers: Philox4x32-10 under key = seed, counter = (block, stream) ----

def random_words(
    seed: SupportsIndex, stream: SupportsIndex, count: SupportsIndex, /
) -> NDArray[np.uint32]: ...
def random_subset(
    seed: SupportsIndex, stream: SupportsIndex, m: SupportsIndex, n: SupportsIndex, /
) -> NDArray[np.uint32]: ...

# ---- hooks for tests ----

def alloc_state() -> tuple[int, int]: ...
def alloc_fail_at(n: SupportsIndex, /) -> None: ...
def pool_probe(
    tasks: SupportsIndex, microseconds: SupportsIndex, progress: Progress | None = None
) -> None: ...

# ---- features and matching ----

class Queries: ...

def gradient_pyramid(
    features: NDArray[np.float32],
    norms: NDArray[np.float32],
    images: NDArray[np.float32],
    levels: SupportsIndex,
    progress: Progress | None = None,
) -> None: ...
def pyramid_pack(
    features: NDArray[np.float32], norms: NDArray[np.float32], map: NDArray[np.float32], /
) -> None: ...
def match_queries(queries: NDArray[np.float32], query_norms: NDArray[np.float32], /) -> Queries: ...
def match(
    features: NDArray[np.float32],
    norms: NDArray[np.float32],
    queries: Queries,
    height: SupportsIndex,
    width: SupportsIndex,
    bilinear: bool = False,
    path: str = "auto",
    epsilon: float = 1e-3,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int32], int, int, bool]: ...
def match_bytes(
    levels: SupportsIndex,
    channels: SupportsIndex,
    height: SupportsIndex,
    width: SupportsIndex,
    bilinear: bool,
    /,
) -> int: ...

# ---- selection: a prepared problem is an opaque object; m = -1: as many as the budget allows ----

def select_problem(
    values: NDArray[np.float32],
    weights: NDArray[np.float64],
    roles: NDArray[np.uint8],
    groups: NDArray[np.uint32] | None,
    quota: int,
    costs: NDArray[np.float64] | None,
    budget: float,
    distances: NDArray[np.float64] | None,
    min_distance: float,
    /,
) -> object: ...
def select_score(problem: object, set: NDArray[np.uint32], /) -> float: ...
def select_explain(
    problem: object, set: NDArray[np.uint32], /
) -> tuple[
    NDArray[np.uint32], NDArray[np.float64], float, NDArray[np.int64], NDArray[np.float32]
]: ...
def select_violates(problem: object, set: NDArray[np.uint32], /) -> bool: ...
def select_greedy(
    problem: object, m: int, progress: Progress | None = None, /
) -> NDArray[np.uint32]: ...
def select_swap(
    problem: object, m: int, set: NDArray[np.uint32], progress: Progress | None = None, /
) -> tuple[NDArray[np.uint32], int]: ...
def select_random(
    problem: object,
    m: int,
    seed: SupportsIndex,
    draws: int,
    checkpoints: NDArray[np.int64],
    progress: Progress | None = None,
    /,
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]: ...
def select_bound(
    problem: object,
    m: int,
    set: NDArray[np.uint32],
    score: float,
    iterations: int,
    multipliers: NDArray[np.float32],
    progress: Progress | None = None,
    /,
) -> float: ...
def select_exact(
    problem: object,
    m: int,
    set: NDArray[np.uint32],
    bound: float,
    multipliers: NDArray[np.float32],
    max_nodes: int,
    progress: Progress | None = None,
    /,
) -> tuple[NDArray[np.uint32], float, float, int, bool]: ...
def select_attach(problem: object, device: int, /) -> None: ...
def select_enumerate(
    problem: object,
    set: NDArray[np.uint32],
    multipliers: NDArray[np.float32],
    max_sets: int,
    progress: Progress | None = None,
    /,
) -> tuple[NDArray[np.uint32], float, float, int, bool]: ...

# ---- CUDA (csrc/include/scp/cuda.h); scp.devices opens the plug-in ----

def cuda_open(path: str | os.PathLike[str], /) -> None: ...
def cuda_devices() -> list[tuple[str, int, int, int, int]]: ...
def cuda_matcher(
    queries: NDArray[np.float32],
    query_norms: NDArray[np.float32],
    height: int,
    width: int,
    device: int,
    bilinear: bool = False,
    epsilon: float = 1e-3,
    max_memory: int = 9223372036854775807,
) -> object: ...
def cuda_match(
    matcher: object,
    features: tuple[NDArray[np.float32], ...],
    norms: tuple[NDArray[np.float32], ...],
    progress: Progress | None = None,
    /,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]: ...

# ---- key points ----

def surf(
    image: NDArray[np.uint8], threshold: float, octaves: int, octave_layers: int
) -> NDArray[np.float64]: ...

# ---- networks (csrc/include/scp/nn.h); build them with scp.networks.Network ----

Graph = object  # capsules
Plan = object

def graph_create(ints: NDArray[np.int32], floats: NDArray[np.float32], /) -> Graph:
    """ints [n][16], floats [n][4]: the rows of Network.ints and Network.floats."""

def graph_blocks(graph: Graph, /) -> tuple[int, int, int, NDArray[np.int64]]:
    """Parameters, state and outputs of the graph; [n][4]: offset and number of a layer's
    parameters, offset and number of its state."""

def plan_bytes(
    graph: Graph, batch: SupportsIndex, height: SupportsIndex, width: SupportsIndex, train: bool, /
) -> int:
    """Memory that plan_create takes, with the present number of threads."""

def plan_create(
    graph: Graph, batch: SupportsIndex, height: SupportsIndex, width: SupportsIndex, train: bool, /
) -> Plan: ...
def plan_shapes(plan: Plan, /) -> NDArray[np.int64]:
    """[n][4]: height, width, channels and multiply-adds (of one image) of every layer."""

def plan_forward(
    plan: Plan,
    parameters: NDArray[np.float32],
    state: NDArray[np.float32] | None,
    images: NDArray[np.float32],
    seed: SupportsIndex,
    step: SupportsIndex,
    progress: Progress | None,
    /,
) -> list[NDArray[np.float32]]:
    """The outputs [B][H][W][C] for images [B][H][W][C]. A training plan updates state in place
    (None: it does not) and keeps the images for plan_backward: they must not change before it."""

def plan_backward(
    plan: Plan,
    gradients: NDArray[np.float32],
    input_gradient: NDArray[np.float32] | None,
    parameters: NDArray[np.float32],
    output_gradients: list[NDArray[np.float32]],
    progress: Progress | None,
    /,
) -> None:
    """Adds to gradients; overwrites input_gradient [B][H][W][C]."""

# ---- convolution of maps, for tests and benchmarks. Maps: [B][H][W][stride], channels from first_*
# on; geometry: stride, dilation, pad_y, pad_x, transposed; coefficients: [B or 1][channels rounded
# up to 16]; pull: (raw, (scale, shift, slope), None or (a, b, c)) ----

ConvGeometry = tuple[int, int, int, int, bool]
ConvCoefficients = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
ConvPull = tuple[NDArray[np.float32], ConvCoefficients, ConvCoefficients | None]

def conv_workspace(
    x: NDArray[np.float32], weights: NDArray[np.float32], geometry: ConvGeometry, train: bool, /
) -> int: ...
def conv_forward(
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    geometry: ConvGeometry,
    pending: ConvCoefficients | None = None,
    first_y: int = 0,
    first_x: int = 0,
    workspace: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> None: ...
def conv_backward_data(
    dz: NDArray[np.float32],
    accumulate: bool,
    dy: NDArray[np.float32],
    weights: NDArray[np.float32],
    geometry: ConvGeometry,
    pull: ConvPull | None = None,
    first_dz: int = 0,
    first_dy: int = 0,
    workspace: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> None: ...
def conv_backward_weights(
    weight_grads: NDArray[np.float32],
    bias_grads: NDArray[np.float32] | None,
    x: NDArray[np.float32],
    dy: NDArray[np.float32],
    geometry: ConvGeometry,
    pending: ConvCoefficients | None = None,
    pull: ConvPull | None = None,
    first_x: int = 0,
    first_dy: int = 0,
    workspace: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> None: ...

# ---- options (scp/options.h): dicts from names to values; what is left out has its default ----

Options = dict[str, Any]

def options(table: str) -> list[dict[str, Any]]:
    """The rows of "train" or "refine": name, type (count, real, reals, flag, choice, strength),
    default, min, max, choices, unit, meaning."""

# ---- optimisers and the loop (scp/train.h) ----

class Trainer:
    """A training that can be run, for trainer_run."""

def train_adam(
    parameters: NDArray[np.float32],
    m: NDArray[np.float32],
    v: NDArray[np.float32],
    gradients: NDArray[np.float32],
    step: SupportsIndex,
    rate: float,
    options: Options,
) -> None:
    """One step of Adam, in place. step counts from 0."""

def train_sgd(
    parameters: NDArray[np.float32],
    velocity: NDArray[np.float32],
    gradients: NDArray[np.float32],
    rate: float,
    optimiser: tuple[float, bool, float, float],
) -> None:
    """One step of SGD, in place. optimiser: momentum, nesterov, weight_decay, clip."""

def train_average(
    teacher: NDArray[np.float32], student: NDArray[np.float32], momentum: float
) -> None:
    """A teacher follows its student, in place."""

def trainer_run(
    trainer: Trainer,
    arrays: dict[str, NDArray[np.float32]],
    first: SupportsIndex,
    rates: NDArray[np.float64],
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], int]:
    """Steps first, first + 1, .. on the arrays in place; their losses [n][..] and how many were
    done: fewer than n when a loss is not finite."""

# ---- the training of features (scp/contrast.h) ----

def contrast_sample(
    pool: NDArray[np.float32],
    options: Options,
    side: SupportsIndex,
    channels: SupportsIndex,
    step: SupportsIndex,
) -> tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.uint32],
]:
    """images [B][H][W][C], crops [B][P][P][C], crop_points, image_points [B][K][2], sources [B]."""

def contrast_objective(
    image: list[NDArray[np.float32]],
    crop: list[NDArray[np.float32]],
    crop_points: NDArray[np.int32],
    image_points: NDArray[np.float32],
    height: SupportsIndex,
    width: SupportsIndex,
    side: SupportsIndex,
    options: Options,
) -> tuple[NDArray[np.float64], list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Losses [D] and the gradients in the maps [B][H_d][W_d][C], C % 16 == 0, of both views."""

def contrast_measure(
    graph: Graph, pool: NDArray[np.float32], options: Options
) -> tuple[int, dict[str, int], int]:
    """Memory that a trainer will hold with the present number of threads, the lengths of its arrays
    by name, and the side of the crop in pixels."""

def contrast_trainer(graph: Graph, pool: NDArray[np.float32], options: Options) -> Trainer:
    """Its losses are those of the levels, coarsest first."""

# ---- refinement (scp/refine.h) ----

def refine_sample(
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    labelled_rows: NDArray[np.uint32],
    pseudo_rows: NDArray[np.uint32],
    options: Options,
    items: SupportsIndex,
    channels: SupportsIndex,
    step: SupportsIndex,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.uint32]]:
    """images [B][H][W][C], points [B][L][2], weights [B][L], sources [B]."""

def refine_objective(
    map: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    height: SupportsIndex,
    width: SupportsIndex,
    radius: float,
    focal: float,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Losses [3] (heat maps, x, y) and the gradient in map [B][h][w][C], C >= 3 L."""

def refine_vote(
    map: NDArray[np.float32],
    landmarks: SupportsIndex,
    factor: SupportsIndex,
    vote: str,
    candidates: SupportsIndex,
    radius: float,
    window: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """xy [L][2] in pixels of the image and confidence [L] from one image's map [h][w][C]; vote:
    count or weighted."""

def refine_measure(
    graph: Graph,
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    labelled_rows: NDArray[np.uint32],
    pseudo_rows: NDArray[np.uint32],
    options: Options,
) -> tuple[int, dict[str, int]]:
    """Memory that a trainer will hold with the present number of threads, and the lengths of its
    arrays by name."""

def refine_trainer(
    graph: Graph,
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    labelled_rows: NDArray[np.uint32],
    pseudo_rows: NDArray[np.uint32],
    options: Options,
) -> Trainer:
    """Its losses are those of the heat maps and of the offsets in x and y."""
