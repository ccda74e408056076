"""The C core. Written by tools/stubs.py: do not edit.

Arrays must have exactly the stated dtype and be C-contiguous; nothing is converted. Dimensions of
one name are of one length. Errors name the argument: TypeError for a wrong type or dtype,
ValueError for a wrong value, shape or order, MemoryError, InfeasibleError, or what a progress
callback or signal handler raised.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, SupportsIndex, final

import numpy as np
from numpy.typing import NDArray

@final
class Graph:
    """A network, checked."""

class InfeasibleError(ValueError):
    """No set of images satisfies the constraints."""

@final
class Matcher:
    """Queries on a CUDA device."""

@final
class Plan:
    """A network bound to a batch of images; serves one call at a time."""

@final
class Problem:
    """A selection problem, prepared; keeps values and distances alive."""

@final
class Queries:
    """Vectors to search for: checked, ordered and quantised."""

@final
class Trainer:
    """A training that can be run; serves one call at a time."""

def threads() -> int:
    """Threads that a call may use.

    -> count: int64
    """

def set_threads(count: SupportsIndex) -> None:
    """Change the number of threads.

    count: int from 0 to 256; 0: the default
    """

def isa() -> str:
    """The instruction set in use.

    -> name: str
    """

def isas() -> list[str]:
    """The instruction sets that this machine can run, the best last.

    -> names: list[str]
    """

def random_words(
    seed: SupportsIndex,
    stream: SupportsIndex,
    count: SupportsIndex,
) -> NDArray[np.uint32]:
    """The first words of a stream of Philox4x32-10 (scp/random.h).

    seed: int from 0 to UINT64_MAX
    stream: int from 0 to UINT64_MAX
    count: int from 0 to PY_SSIZE_T_MAX / 4
    -> words: uint32 [count]
    """

def random_subset(
    seed: SupportsIndex,
    stream: SupportsIndex,
    m: SupportsIndex,
    n: SupportsIndex,
) -> NDArray[np.uint32]:
    """m different numbers below n, ascending.

    seed: int from 0 to UINT64_MAX
    stream: int from 0 to UINT64_MAX
    m: int from 0 to UINT32_MAX
    n: int from 0 to UINT32_MAX
    -> subset: uint32 [m]
    """

def surf(
    image: NDArray[np.uint8],
    threshold: float,
    octaves: SupportsIndex,
    octave_layers: SupportsIndex,
) -> NDArray[np.float64]:
    """Fast-Hessian key points (scp/surf.h).

    image: uint8 [height][width]
    threshold: float
    octaves: int from 1 to 10
    octave_layers: int from 1 to 1000
    -> points: float64 [n][4]: x, y, filter side, response
    """

def gradient_pyramid(
    features: NDArray[np.float32],
    norms: NDArray[np.float32],
    images: NDArray[np.float32],
    levels: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Pyramids of gradient features of images (scp/gradient.h).

    features: float32 [images][cells][channels], changed in place
    norms: float32 [images][cells], changed in place
    images: float32 [images][height][width]
    levels: int from 1 to SCP_MATCH_MAX_LEVELS
    progress: callable(done, total) or None
    """

def pyramid_pack(
    features: NDArray[np.float32],
    norms: NDArray[np.float32],
    map: NDArray[np.float32],
) -> None:
    """One level of a pyramid from a network's map (scp/pyramid.h).

    features: float32 [cells][width], changed in place
    norms: float32 [cells], changed in place
    map: float32 [cells][channels]
    """

def match_queries(queries: NDArray[np.float32], query_norms: NDArray[np.float32]) -> Queries:
    """Queries for match; copies the vectors and their norms.

    queries: float32 [queries][levels][channels]
    query_norms: float32 [queries][levels]
    -> object: Queries
    """

def match(
    features: NDArray[np.float32],
    norms: NDArray[np.float32],
    queries: Queries,
    height: SupportsIndex,
    width: SupportsIndex,
    bilinear: bool = False,
    path: Literal["auto", "search", "dense"] = "auto",
    epsilon: float = 0.001,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int32], int, int, bool]:
    """The best match of every query in one image (scp/match.h).

    features: float32 [cells][channels]
    norms: float32 [cells]
    queries: Queries
    height: int from 1 to 65535; of the coarsest level, as width
    width: int from 1 to 65535
    bilinear: bool
    path: one of: auto search dense
    epsilon: float
    progress: callable(done, total) or None
    -> value: float32 [queries]
    -> index: int32 [queries]
    -> dots: int64; dot products evaluated
    -> brute: int64; those of brute force
    -> dense: boolean; the path taken
    """

def match_bytes(
    levels: SupportsIndex,
    channels: SupportsIndex,
    height: SupportsIndex,
    width: SupportsIndex,
    bilinear: bool,
) -> int:
    """Working memory of match with the present number of threads.

    levels: int from 1 to SCP_MATCH_MAX_LEVELS
    channels: int from 1 to SCP_MATCH_MAX_CHANNELS
    height: int from 1 to 65535
    width: int from 1 to 65535
    bilinear: bool
    -> bytes: int64
    """

def select_problem(
    values: NDArray[np.float32],
    weights: NDArray[np.float64],
    roles: NDArray[np.uint8],
    groups: NDArray[np.uint32] | None,
    quota: SupportsIndex,
    costs: NDArray[np.float64] | None,
    budget: float,
    distances: NDArray[np.float64] | None,
    min_distance: float,
) -> Problem:
    """Prepare a selection problem (scp/select.h).

    values: float32 [images][clients]
    weights: float64 [clients]
    roles: uint8 [images]; enum scp_role
    groups: uint32 [images] or None
    quota: int from 0 to PY_SSIZE_T_MAX; at most so many of a group
    costs: float64 [images] or None
    budget: float
    distances: float64 [images][images] or None
    min_distance: float
    -> object: Problem
    """

def select_attach(problem: Problem, device: SupportsIndex) -> None:
    """Run the problem's sums on a CUDA device from now on.

    problem: Problem
    device: int from 0 to INT_MAX
    """

def select_score(problem: Problem, set: NDArray[np.uint32]) -> float:
    """Score of a set of rows.

    problem: Problem
    set: uint32 [size]
    -> score: float64
    """

def select_explain(
    problem: Problem,
    set: NDArray[np.uint32],
) -> tuple[NDArray[np.uint32], NDArray[np.float64], float, NDArray[np.int64], NDArray[np.float32]]:
    """Pick order of a set, what each pick adds, and who covers whom.

    problem: Problem
    set: uint32 [size]
    -> found: uint32 [count]
    -> gains: float64 [size]
    -> score: float64
    -> cover: int64 [clients]
    -> cover_value: float32 [clients]
    """

def select_next(problem: Problem, set: NDArray[np.uint32]) -> float:
    """What the best further row that the rules allow would add; NaN: there is none.

    problem: Problem
    set: uint32 [size]
    -> gain: float64
    """

def select_greedy(
    problem: Problem,
    m: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.uint32]:
    """Lazy greedy, in the order of the picks.

    problem: Problem
    m: int from -1 to PY_SSIZE_T_MAX; -1: as many as the budget allows
    progress: callable(done, total) or None
    -> found: uint32 [count]
    """

def select_swap(
    problem: Problem,
    m: SupportsIndex,
    set: NDArray[np.uint32],
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.uint32], int]:
    """Best-improvement exchanges from a feasible set.

    problem: Problem
    m: int from -1 to PY_SSIZE_T_MAX; -1: as many as the budget allows
    set: uint32 [size]
    progress: callable(done, total) or None
    -> found: uint32 [count]
    -> swaps: int64
    """

def select_random(
    problem: Problem,
    m: SupportsIndex,
    seed: SupportsIndex,
    draws: SupportsIndex,
    checkpoints: NDArray[np.int64],
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """The paper's random search.

    problem: Problem
    m: int from -1 to PY_SSIZE_T_MAX; -1: as many as the budget allows
    seed: int from 0 to UINT64_MAX
    draws: int from 1 to PY_SSIZE_T_MAX
    checkpoints: int64 [points]; ascending, at most draws
    progress: callable(done, total) or None
    -> found: uint32 [count]
    -> prefix: float64 [points]; best score of the first so many draws
    """

def select_bound(
    problem: Problem,
    m: SupportsIndex,
    set: NDArray[np.uint32],
    score: float,
    iterations: SupportsIndex,
    multipliers: NDArray[np.float32],
    progress: Callable[[int, int], object] | None = None,
) -> tuple[float, float]:
    """Lagrangian upper bound of the score of every feasible set.

    problem: Problem
    m: int from -1 to PY_SSIZE_T_MAX; -1: as many as the budget allows
    set: uint32 [size]
    score: float; of the set
    iterations: int from 0 to PY_SSIZE_T_MAX
    multipliers: float32 [clients], changed in place; NaN: none yet
    progress: callable(done, total) or None
    -> bound: float64
    -> mu: float64; multiplier of the budget
    """

def select_exact(
    problem: Problem,
    m: SupportsIndex,
    set: NDArray[np.uint32],
    bound: float,
    multipliers: NDArray[np.float32],
    max_nodes: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
    trace: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.uint32], float, float, int, bool, int]:
    """Branch and bound from a feasible set and select_bound's multipliers.

    problem: Problem
    m: int from -1 to PY_SSIZE_T_MAX; -1: as many as the budget allows
    set: uint32 [size]
    bound: float
    multipliers: float32 [clients]
    max_nodes: int from 0 to PY_SSIZE_T_MAX
    progress: callable(done, total) or None
    trace: float64 [room] or None, changed in place
    -> found: uint32 [count]
    -> score: float64
    -> bound: float64
    -> nodes: int64; or sets looked at
    -> proven: boolean
    -> traced: int64; numbers in trace; 0: there was no room
    """

def select_enumerate(
    problem: Problem,
    set: NDArray[np.uint32],
    multipliers: NDArray[np.float32],
    max_sets: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.uint32], float, float, int, bool]:
    """Score every set of that size that the multipliers do not exclude.

    problem: Problem
    set: uint32 [size]
    multipliers: float32 [clients]
    max_sets: int from 0 to PY_SSIZE_T_MAX
    progress: callable(done, total) or None
    -> found: uint32 [count]
    -> score: float64
    -> bound: float64
    -> nodes: int64; or sets looked at
    -> proven: boolean
    """

def select_above(
    values: NDArray[np.float32],
    weights: NDArray[np.float64],
    floor: NDArray[np.float32],
    cluster: NDArray[np.uint32],
    clusters: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float64]:
    """How far rows lie above a floor, by cluster of clients (scp/select.h).

    values: float32 [images][clients]
    weights: float64 [clients]
    floor: float32 [clients]
    cluster: uint32 [clients]
    clusters: int from 1 to UINT32_MAX
    progress: callable(done, total) or None
    -> above: float64 [images][clusters]
    """

def zcore(
    columns: NDArray[np.float32],
    shape: NDArray[np.float32],
    seed: SupportsIndex,
    draws: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float64]:
    """Scores of ZCore (scp/zcore.h).

    columns: float32 [dimensions][images]
    shape: float32 [dimensions][three]; smallest, median and largest of each dimension
    seed: int from 0 to UINT64_MAX
    draws: int from 0 to PY_SSIZE_T_MAX
    progress: callable(done, total) or None
    -> scores: float64 [images]
    """

def vectors_values(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    gamma: float,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float32]:
    """Similarities of two sets of vectors (scp/vectors.h).

    left: float32 [rows][dimensions]
    right: float32 [columns][dimensions]
    gamma: float
    progress: callable(done, total) or None
    -> values: float32 [rows][columns]
    """

def vectors_excess(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    gamma: float,
    floors: NDArray[np.float32],
    weights: NDArray[np.float32],
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float64]:
    """How far similarities lie above floors, summed over columns.

    left: float32 [rows][dimensions]
    right: float32 [columns][dimensions]
    gamma: float
    floors: float32 [sets][columns]
    weights: float32 [columns]
    progress: callable(done, total) or None
    -> excess: float64 [sets][rows]
    """

def graph_create(table: NDArray[np.int32]) -> Graph:
    """A network from its layers.

    table: int32 [layers][20]; struct scp_layer, its four real numbers as their bits
    -> object: Graph
    """

def plan_bytes(
    graph: Graph,
    batch: SupportsIndex,
    height: SupportsIndex,
    width: SupportsIndex,
    train: bool,
) -> int:
    """Memory that plan_create takes, with the present number of threads.

    graph: Graph
    batch: int from 1 to 65535
    height: int from 1 to 65535
    width: int from 1 to 65535
    train: bool
    -> bytes: int64
    """

def plan_create(
    graph: Graph,
    batch: SupportsIndex,
    height: SupportsIndex,
    width: SupportsIndex,
    train: bool,
) -> Plan:
    """A graph bound to a batch and an image size.

    graph: Graph
    batch: int from 1 to 65535
    height: int from 1 to 65535
    width: int from 1 to 65535
    train: bool
    -> object: Plan
    """

def plan_forward(
    plan: Plan,
    parameters: NDArray[np.float32],
    state: NDArray[np.float32] | None,
    images: NDArray[np.float32],
    seed: SupportsIndex,
    step: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> list[NDArray[np.float32]]:
    """Runs the network on images.

    plan: Plan
    parameters: float32 [parameters]
    state: float32 [state] or None; a training plan changes it in place
    images: float32 [batch][height][width][channels]; plan_backward reads them again
    seed: int from 0 to UINT64_MAX
    step: int from 0 to UINT64_MAX
    progress: callable(done, total) or None
    -> outputs: list of float32 [batch][h][w][c]
    """

def cuda_open(path: str | os.PathLike[str]) -> None:
    """Open the CUDA plug-in; OSError says why it cannot be.

    path: str or path
    -> opened: None
    """

def cuda_devices() -> list[tuple[str, int, int, int, int]]:
    """The devices; OSError says why there is none.

    -> devices: list[tuple[str, int, int, int, int]]: name, major, minor, processors, bytes
    """

def cuda_matcher(
    queries: NDArray[np.float32],
    query_norms: NDArray[np.float32],
    height: SupportsIndex,
    width: SupportsIndex,
    device: SupportsIndex,
    bilinear: bool = False,
    epsilon: float = 0.001,
    max_memory: SupportsIndex = 4611686018427387904,
) -> Matcher:
    """Queries on a device, for cuda_match (scp/cuda.h).

    queries: float32 [queries][levels][channels]
    query_norms: float32 [queries][levels]
    height: int from 1 to 65535; of the coarsest level, as width
    width: int from 1 to 65535
    device: int from 0 to INT_MAX
    bilinear: bool
    epsilon: float
    max_memory: int from 0 to PY_SSIZE_T_MAX; bytes on the device
    -> object: Matcher
    """

def cuda_match(
    matcher: Matcher,
    features: Sequence[NDArray[np.float32]],
    norms: Sequence[NDArray[np.float32]],
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The best match of every query in every image of the tuples.

    matcher: Matcher
    features: arrays float32 [images][cells][channels]
    norms: arrays float32 [images][cells]
    progress: callable(done, total) or None
    -> value: float32 [images][queries]
    -> index: int32 [images][queries]
    """

def options(table: str | os.PathLike[str]) -> list[Any]:
    """Every option of a training (scp/options.h).

    table: str or path; of a training, such as train or refine
    -> rows: list of dicts: name, type, default (of a choice its number), min, max, ...
    """

def trainer_run(
    trainer: Trainer,
    arrays: dict[str, NDArray[np.float32]],
    first: SupportsIndex,
    rates: NDArray[np.float64],
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.float64], int]:
    """Steps first, first + 1, .. of a training.

    trainer: Trainer
    arrays: dict of float32 arrays, changed in place
    first: int from 0 to UINT64_MAX / 65536 / 16; number of the first step
    rates: float64 [steps]; learning rates
    progress: callable(done, total) or None
    -> losses: float64 [steps][losses]
    -> done: int64; fewer than steps: a loss is not finite
    """

def contrast_measure(
    graph: Graph,
    pool: NDArray[np.float32],
    options: dict[str, Any],
) -> tuple[int, dict[str, Any], int]:
    """What a trainer of features will hold, and its arrays.

    graph: Graph
    pool: float32 [images][height][width]; 0 .. 1
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    -> side: int64; pixels of the crop
    """

def contrast_trainer(graph: Graph, pool: NDArray[np.float32], options: dict[str, Any]) -> Trainer:
    """A trainer of features; its losses are those of the levels that have one.

    graph: Graph
    pool: float32 [images][height][width]; 0 .. 1
    options: dict of options
    -> object: Trainer
    """

def refine_measure(
    graph: Graph,
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    labelled_rows: NDArray[np.uint32],
    pseudo_rows: NDArray[np.uint32],
    options: dict[str, Any],
) -> tuple[int, dict[str, Any]]:
    """What a trainer of refinement will hold, and its arrays.

    graph: Graph
    pool: float32 [images][height][width]; 0 .. 1
    points: float32 [images][landmarks][2]; pixels of the pool
    weights: float32 [images][landmarks]; 0 to 1
    labelled_rows: uint32 [n_labelled]
    pseudo_rows: uint32 [n_pseudo]
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    """

def refine_trainer(
    graph: Graph,
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    labelled_rows: NDArray[np.uint32],
    pseudo_rows: NDArray[np.uint32],
    options: dict[str, Any],
) -> Trainer:
    """A trainer of refinement; its losses: heat maps, offsets in x, in y.

    graph: Graph
    pool: float32 [images][height][width]; 0 .. 1
    points: float32 [images][landmarks][2]; pixels of the pool
    weights: float32 [images][landmarks]; 0 to 1
    labelled_rows: uint32 [n_labelled]
    pseudo_rows: uint32 [n_pseudo]
    options: dict of options
    -> object: Trainer
    """

def supervise_measure(
    graph: Graph,
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    options: dict[str, Any],
) -> tuple[int, dict[str, Any]]:
    """What a supervised trainer will hold, and its arrays.

    graph: Graph
    pool: float32 [images][height][width]; 0 .. 1
    points: float32 [images][landmarks][2]; pixels of the pool
    weights: float32 [images][landmarks]; 0 to 1
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    """

def supervise_trainer(
    graph: Graph,
    pool: NDArray[np.float32],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    options: dict[str, Any],
) -> Trainer:
    """A supervised trainer; its losses: heat maps, weight decay, sigmas.

    graph: Graph
    pool: float32 [images][height][width]; 0 .. 1
    points: float32 [images][landmarks][2]; pixels of the pool
    weights: float32 [images][landmarks]; 0 to 1
    options: dict of options
    -> object: Trainer
    """

def vaal_measure(
    encoder: Graph,
    decoder: Graph,
    discriminator: Graph,
    pool: NDArray[np.float32],
    labelled: NDArray[np.uint32],
    unlabelled: NDArray[np.uint32],
    options: dict[str, Any],
) -> tuple[int, dict[str, Any]]:
    """What a trainer of VAAL will hold, and its arrays.

    encoder: Graph
    decoder: Graph
    discriminator: Graph
    pool: float32 [images][height][width]; 0 .. 1
    labelled: uint32 [n_labelled]; rows of the pool
    unlabelled: uint32 [n_unlabelled]; rows of the pool
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    """

def vaal_trainer(
    encoder: Graph,
    decoder: Graph,
    discriminator: Graph,
    pool: NDArray[np.float32],
    labelled: NDArray[np.uint32],
    unlabelled: NDArray[np.uint32],
    options: dict[str, Any],
) -> Trainer:
    """A trainer of VAAL; its losses: reconstruction, divergence, adversary, discriminator.

    encoder: Graph
    decoder: Graph
    discriminator: Graph
    pool: float32 [images][height][width]; 0 .. 1
    labelled: uint32 [n_labelled]; rows of the pool
    unlabelled: uint32 [n_unlabelled]; rows of the pool
    options: dict of options
    -> object: Trainer
    """

def instances_measure(
    encoder: Graph,
    head: Graph,
    pool: NDArray[np.float32],
    options: dict[str, Any],
) -> tuple[int, dict[str, Any]]:
    """What a trainer of two classifiers will hold, and its arrays.

    encoder: Graph
    head: Graph
    pool: float32 [images][height][width]; 0 .. 1
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    """

def instances_trainer(
    encoder: Graph,
    head: Graph,
    pool: NDArray[np.float32],
    options: dict[str, Any],
) -> Trainer:
    """A trainer of two classifiers; its losses: of the first, the second, their distance.

    encoder: Graph
    head: Graph
    pool: float32 [images][height][width]; 0 .. 1
    options: dict of options
    -> object: Trainer
    """

def crops(
    pool: NDArray[np.float32],
    sources: NDArray[np.uint32],
    options: dict[str, Any],
    channels: SupportsIndex,
    first: SupportsIndex,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float32]:
    """Crops of images, -1 to 1, as the networks of these trainings see them.

    pool: float32 [images][height][width]; 0 .. 1
    sources: uint32 [items]; rows of the pool
    options: dict of options
    channels: int from 1 to 16
    first: int from 0 to UINT64_MAX; stream of the first item
    progress: callable(done, total) or None
    -> views: float32 [items][size][size][channels]
    """

def autoencode_measure(
    encoder: Graph,
    generator: Graph,
    latent_discriminator: Graph,
    discriminator: Graph,
    faces: NDArray[np.uint8],
    side: SupportsIndex,
    options: dict[str, Any],
) -> tuple[int, dict[str, Any]]:
    """What a trainer of an auto-encoder will hold, and its arrays.

    encoder: Graph
    generator: Graph
    latent_discriminator: Graph
    discriminator: Graph
    faces: uint8 [images][rows][rows][3]; red, green, blue
    side: int from 1 to SCP_FACE_MAX_SIDE; of the views
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    """

def autoencode_trainer(
    encoder: Graph,
    generator: Graph,
    latent_discriminator: Graph,
    discriminator: Graph,
    faces: NDArray[np.uint8],
    side: SupportsIndex,
    options: dict[str, Any],
) -> Trainer:
    """A trainer of an adversarial auto-encoder (scp/autoencode.h).

    encoder: Graph
    generator: Graph
    latent_discriminator: Graph
    discriminator: Graph
    faces: uint8 [images][rows][rows][3]; red, green, blue
    side: int from 1 to SCP_FACE_MAX_SIDE; of the views
    options: dict of options
    -> object: Trainer
    """

def transfer_measure(
    features: Graph,
    head: Graph,
    moving: NDArray[np.uint32],
    faces: NDArray[np.uint8],
    points: NDArray[np.float32],
    swaps: NDArray[np.uint32],
    side: SupportsIndex,
    options: dict[str, Any],
) -> tuple[int, dict[str, Any]]:
    """What a trainer of transfer layers will hold, and its arrays.

    features: Graph
    head: Graph
    moving: uint32 [moving_layers]; layers of the head that learn
    faces: uint8 [images][rows][rows][3]; red, green, blue
    points: float32 [images][landmarks][2]; pixels of the faces
    swaps: uint32 [landmarks]; what a landmark is in a mirror
    side: int from 1 to SCP_FACE_MAX_SIDE; of the views
    options: dict of options
    -> bytes: int64; with the present number of threads
    -> arrays: dict from names to lengths
    """

def transfer_trainer(
    features: Graph,
    head: Graph,
    moving: NDArray[np.uint32],
    faces: NDArray[np.uint8],
    points: NDArray[np.float32],
    swaps: NDArray[np.uint32],
    side: SupportsIndex,
    options: dict[str, Any],
) -> Trainer:
    """A trainer of transfer layers (scp/transfer.h); its loss: heat maps.

    features: Graph
    head: Graph
    moving: uint32 [moving_layers]; layers of the head that learn
    faces: uint8 [images][rows][rows][3]; red, green, blue
    points: float32 [images][landmarks][2]; pixels of the faces
    swaps: uint32 [landmarks]; what a landmark is in a mirror
    side: int from 1 to SCP_FACE_MAX_SIDE; of the views
    options: dict of options
    -> object: Trainer
    """

def refine_vote(
    map: NDArray[np.float32],
    landmarks: SupportsIndex,
    factor: SupportsIndex,
    vote: Literal["count", "weighted"],
    candidates: SupportsIndex,
    radius: float,
    window: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks of one image, in its pixels, from the network's output.

    map: float32 [height][width][channels]
    landmarks: int from 1 to SCP_REFINE_MAX_LANDMARKS
    factor: int from 1 to 32768; how many times the image is larger
    vote: one of: count weighted
    candidates: int from 1 to UINT32_MAX
    radius: float; pixels of the image
    window: float; pixels of the image
    -> xy: float64 [landmarks][2]
    -> confidence: float64 [landmarks]
    """

def heat_peaks(
    map: NDArray[np.float32],
    landmarks: SupportsIndex,
    side: SupportsIndex,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where heat maps of one face are highest after a box blur of 9 x 9 pixels.

    map: float32 [height][width][channels]
    landmarks: int from 1 to SCP_FACE_MAX_LANDMARKS
    side: int from 1 to SCP_FACE_MAX_SIDE; of the face
    -> xy: float64 [landmarks][2]
    -> confidence: float64 [landmarks]
    """
