"""Active learning: networks trained on the images themselves say which to label (Table 6 of the
paper). The core's trainings are in csrc/include/scp/active.h."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .. import _core
from .._core import InfeasibleError
from ..datasets import Dataset
from ..networks import Network
from ..networks import active as networks
from ..progress import Progress, of_training, watch
from ..runs import RunFolder, read_json
from ..runs.fingerprints import of_arrays
from ..training import Job, run_job
from ..training.checkpoints import IGNORED
from ..training.loop import as_pool
from ..training.options import Options, options_of
from ..values import whole, whole_numbers
from .candidates import Candidates

KINDS = {"vaal": "vaal", "loss": "instances", "uncertainty": "instances", "entropy": "instances"}
ACTIVE = tuple(KINDS)
INITIAL = 5  # images that count as labelled for VAAL, drawn where none are
VIEWS = 20  # of each image that is scored by the classifiers
SCORED = 1 << 63  # streams of the crops that are scored; those of training are below
POOL = 2  # sides of the images, in sides of what the networks see
LOSSES = {
    "vaal": ["the reconstruction", "the divergence", "the adversary", "the discriminator"],
    "instances": ["the first classifier", "the second classifier", "their distance"],
}


@options_of("vaal")
class VaalOptions(Options):
    """How VAAL is trained."""


@options_of("instances")
class InstanceOptions(Options):
    """How the two classifiers are trained."""


OPTIONS = {"vaal": VaalOptions, "instances": InstanceOptions}


@dataclass(frozen=True)
class ActiveNetworks:
    """Sizes of the networks; the defaults are those of VAAL as published.

    widths: channels of the encoder's convolutions, each halves the image. latent: numbers of the
    code. hidden: of the discriminator and of the classifiers.
    """

    widths: Sequence[int] = networks.WIDTHS
    latent: int = networks.LATENT
    hidden: int = networks.HIDDEN

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(whole_numbers(self.widths, "widths", 1)))
        whole(self.latent, "latent", 1)
        whole(self.hidden, "hidden", 1)

    def of(self, kind: str, size: int, images: int) -> dict[str, Network]:
        """The networks of a training, by the names of its models."""
        if kind == "vaal":
            return {
                "encoder": networks.encoder(size, 2 * self.latent, self.widths),
                "decoder": networks.decoder(size, self.latent, self.widths),
                "discriminator": networks.perceptron(self.latent, 1, self.hidden),
            }
        head = networks.perceptron(self.latent, images, self.hidden, classes=True)
        encoder = networks.encoder(size, self.latent, self.widths)
        return {"encoder": encoder, "first": head, "second": head}


@dataclass(frozen=True, eq=False)
class Ranking:
    """What a method thinks of each image.

    values: by method, float64 [N], the largest are asked for first; NaN where the image counts as
    labelled. labelled: rows that did. rules: initial, include, exclude, groups, quota.
    """

    values: dict[str, np.ndarray]
    labelled: np.ndarray
    rules: dict[str, Any] = field(default_factory=dict)

    def pick(self, m: int, method: str) -> np.ndarray:
        """Rows of m images, int64 [m], those of `include` first; InfeasibleError where the rules
        allow no m images."""
        values = self.values[method]
        images = _candidates(len(values), **self.rules)
        size, free = whole(m, "m", 1), np.isfinite(values)
        left = _candidates(len(values), **self._without()).most
        if not len(images.taken) <= size <= left:
            raise InfeasibleError(
                f"{size} images cannot be chosen: include names {len(images.taken)}, and initial, "
                f"exclude, groups and the images that count as labelled leave {left}"
            )
        while len(images.taken) < size and images.take_best(values, free) >= 0:
            pass
        return np.array(images.taken, np.int64)

    def _without(self) -> dict[str, Any]:
        """The rules, with the rows drawn as labelled among the excluded."""
        given = {*self.rules.get("initial", ()), *self.rules.get("include", ())}
        drawn = [int(r) for r in self.labelled if int(r) not in given]
        return self.rules | {"exclude": [*self.rules.get("exclude", ()), *drawn]}


def rank(
    images: Dataset | np.ndarray,
    method: str = "vaal",
    *,
    initial: Sequence[int] = (),
    include: Sequence[int] = (),
    exclude: Sequence[int] = (),
    groups: Sequence[Hashable] | None = None,
    quota: int = 1,
    random_state: int = 0,
    options: Options | Mapping[str, Any] | None = None,
    sizes: ActiveNetworks | None = None,
    views: int = VIEWS,
    run: str | os.PathLike[str] | None = None,
    resume: bool = True,
    progress: Progress = None,
    callback: Callable[[dict[str, Any]], object] | None = None,
) -> Ranking:
    """Trains the networks of a method on all images, and what they say of each.

    "vaal": which images a discriminator takes least for labelled (Sinha et al., ICCV 2019).
    "loss", "uncertainty", "entropy": one training gives all three. An encoder and two classifiers
    tell all images apart; with p and q their answers to a crop, the mean over `views` crops of
    (p + q) / 2's squared error, of |p - q|, and of (p + q) / 2's entropy.

    Args:
        images: a data set, or float32 [N][S][S] in 0..1 of twice the size that the networks see.
        method: one of ACTIVE.
        initial, include: rows that count as labelled for VAAL; without any, 5 are drawn, which are
            not asked for. exclude, groups, quota: as in `scp.select`, see `Ranking.pick`.
        random_state: of all that is drawn; the same number gives the same bits.
        options: a `VaalOptions` or `InstanceOptions`, or some of them by name; random_state takes
            the place of seed. Where steps and minutes are 0: passes * images / batch steps.
        sizes: of the networks.
        run: a run folder: a stopped training goes on from there, and what was finished is read.
            None: nothing is written. resume: False: train anew.
        progress: see `scp.progress`. callback: with the events of the training, as in
            `scp.features.train`; "start" says how many bytes it takes.

    Raises:
        KeyboardInterrupt: the training was stopped; the same call goes on. ValueError, TypeError:
            a bad argument, by name. FloatingPointError: as in `scp.features.train`.
    """
    if method not in KINDS:
        raise ValueError(f"method must be one of {', '.join(ACTIVE)}, got {method!r}")
    kind, rules = KINDS[method], {"initial": [*initial], "include": [*include]}
    rules |= {"exclude": [*exclude], "groups": groups, "quota": quota}
    seed = whole(random_state, "random_state", 0, 2**64 - 1)
    count = len(images)
    how = settings(method, count, options, seed)
    _candidates(count, **rules)
    labelled = _labelled(kind, count, rules, seed, how)
    pixels = pool(images, int(how.size))
    sizes, views = sizes or ActiveNetworks(), whole(views, "views", 1)
    training = _Training(kind, pixels, labelled, how, sizes, views)
    return Ranking(training.values(run, resume, progress, callback), labelled, rules)


def suggest(images: Dataset | np.ndarray, m: int, method: str = "vaal", **how: Any) -> np.ndarray:
    """Rows of m images that a method asks for, int64 [m] in its order. how: what `rank` takes."""
    return rank(images, method, **how).pick(m, method)


def settings(
    method: str, images: int, options: Options | Mapping[str, Any] | None = None, seed: int = 0
) -> Options:
    """The options with which a method is trained on so many images, their length as steps."""
    cls = OPTIONS[KINDS[method]]
    if isinstance(options, Options) and not isinstance(options, cls):
        raise TypeError(f"options must be {cls.__name__} for method {method!r}, got {options!r}")
    how = options if isinstance(options, cls) else cls().set(**dict(options or {}))
    if how.steps == 0 and how.minutes == 0:
        how = how.set(steps=max(1, how.passes * images // how.batch))
    return how.set(seed=seed)


def told(training: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments options, sizes and views of `rank`, from one mapping of them all by name
    (options; widths, latent, hidden; views), numbers or text."""
    left, sizes = dict(training or {}), {}
    for name in ("widths", "latent", "hidden", "views"):
        value = left.pop(name, None)
        if value is None:
            continue
        parts = value.split(",") if isinstance(value, str) else np.atleast_1d(value).tolist()
        try:
            numbers = [int(part) for part in parts]
        except ValueError:
            raise ValueError(f"{name} must be whole numbers, got {value!r}") from None
        if name != "widths" and len(numbers) != 1:
            raise ValueError(f"{name} must be one whole number, got {value!r}")
        sizes[name] = numbers if name == "widths" else numbers[0]
    views = sizes.pop("views", VIEWS)
    return {"options": left, "sizes": ActiveNetworks(**sizes), "views": views}


def needs(
    method: str,
    images: int,
    options: Options | Mapping[str, Any] | None = None,
    sizes: ActiveNetworks | None = None,
) -> dict[str, int]:
    """What training on so many images takes: "steps" (0: by minutes), "bytes" of memory, and
    "macs", multiply-adds with those of the scores."""
    how, kind = settings(method, images, options), KINDS[method]
    blank = np.zeros((images, 1, 1), np.float32)  # what a crop is drawn from counts little
    labelled = np.arange(min(int(how.batch), images))
    training = _Training(kind, blank, labelled, how, sizes or ActiveNetworks(), 1)
    held, arrays = training.measure()
    pixels = images * (POOL * int(how.size)) ** 2
    steps, batch, size = int(how.steps), int(how.batch), int(how.size)
    macs = {
        name: int(net.shapes(*((size, size) if name == "encoder" else (1, 1)))[:, 3].sum())
        for name, net in training.networks.items()
    }
    if kind == "vaal":  # forward and twice that backward; the discriminator's move is forward only
        once = macs["encoder"] + macs["decoder"]
        total = steps * 2 * batch * (3 * int(how.moves) * once + macs["encoder"])
    else:
        total = steps * batch * 3 * macs["encoder"]
    return {
        "steps": steps,
        "bytes": held + 4 * (sum(arrays.values()) + pixels),
        "macs": total + images * (1 if kind == "vaal" else VIEWS) * macs["encoder"],
    }


def _candidates(count: int, **rules: Any) -> Candidates:
    return Candidates(np.zeros((count, 1), np.float32), **rules)


def labelled_at_first(count: int) -> int:
    """Of so many images, how many VAAL counts as labelled where none are named."""
    return min(INITIAL, count // 2)


def _labelled(kind: str, count: int, rules: dict[str, Any], seed: int, how: Options) -> np.ndarray:
    """Rows that count as labelled."""
    if kind != "vaal":
        return np.zeros(0, np.int64)
    given = sorted({*map(int, rules["initial"]), *map(int, rules["include"])})
    if not given:
        free = np.flatnonzero(_candidates(count, **rules).allowed)
        drawn = np.random.default_rng(seed).permutation(free)[: labelled_at_first(len(free))]
        given = sorted(int(r) for r in drawn)
    for name, rows in (("labelled", len(given)), ("unlabelled", count - len(given))):
        if rows < how.batch:
            raise ValueError(
                f"images: vaal trains on batches of {how.batch} {name} images, and there are {rows}"
            )
    return np.array(given, np.int64)


def pool(images: Dataset | np.ndarray, size: int) -> np.ndarray:
    """The images as crops are taken from them, float32 [N][2 size][2 size] in 0..1."""
    side = POOL * size
    if len(images) == 0:
        raise ValueError("images: there are none")
    if isinstance(images, Dataset):
        return as_pool(np.stack([images.grid(i, (side, side)) for i in range(len(images))]))
    found = as_pool(images)
    if found.shape[1:] != (side, side):
        raise ValueError(f"images must be [N][{side}][{side}], got {list(found.shape)}")
    return found


class _Training:
    """Networks of one kind on a pool: what they say of each image, from files or by training."""

    def __init__(self, kind, pool, labelled, options, sizes, views):
        self.kind, self.pool, self.options = kind, pool, options
        self.sizes, self.views, size = sizes, views, int(options.size)
        self.networks = sizes.of(kind, size, len(pool))
        self.labelled = labelled.astype(np.uint32)
        rest = np.setdiff1d(np.arange(len(pool)), labelled)
        self.unlabelled = rest.astype(np.uint32)
        graphs = {n: net.graph() for n, net in self.networks.items() if n != "second"}
        rows = [self.labelled, self.unlabelled] if kind == "vaal" else []
        self.given = [*graphs.values(), pool, *rows, options.core()]

    def measure(self) -> tuple[int, dict[str, int]]:
        """Bytes that the trainer holds, and the lengths of its arrays."""
        measure = _core.vaal_measure if self.kind == "vaal" else _core.instances_measure
        return measure(*self.given)

    def values(self, run, resume, progress, callback) -> dict[str, np.ndarray]:
        """By method; read from the run folder where it was finished there."""
        name, folder = f"active-{self.kind}.json", None if run is None else RunFolder.of(run)
        made_of = self._made_of()
        found = None
        if folder is not None and resume:
            try:
                found = read_json(folder / name)
            except (FileNotFoundError, ValueError):
                found = None
            if not isinstance(found, dict) or found.get("made_of") != made_of:
                found = None
            elif isinstance(found.get("values"), dict):
                values = {m: np.array(v, float) for m, v in found["values"].items()}
                if all(v.shape == (len(self.pool),) for v in values.values()):
                    return values
        if folder is not None and found is None:
            folder.write_json(name, {"made_of": made_of})
        arrays = self._train(folder, resume and found is not None, progress, callback)
        values = self._score(arrays, watch(progress, "scores", len(self.pool)))
        if folder is not None:
            plain = {m: [None if np.isnan(v) else float(v) for v in of] for m, of in values.items()}
            folder.write_json(name, {"made_of": made_of, "values": plain})
            (folder / self._job().checkpoint).unlink(missing_ok=True)
        return values

    def _made_of(self) -> dict[str, Any]:
        options = {k: v for k, v in self.options.to_dict().items() if k not in IGNORED}
        return {
            "images": of_arrays(self.pool),
            "labelled": self.labelled.tolist(),
            "options": options,
            "networks": asdict(self.sizes) | {"widths": list(self.sizes.widths)},
            "views": self.views,
        }

    def _job(self) -> Job:
        held, arrays = self.measure()
        initial = {}
        for k, (name, net) in enumerate(self.networks.items()):
            start = networks.first_weights(net, self.options.seed + k)
            for part, numbers in zip(("parameters", "state"), start, strict=True):
                initial[f"{name}.{part}"] = numbers
        create = _core.vaal_trainer if self.kind == "vaal" else _core.instances_trainer
        return Job(
            create=lambda: create(*self.given),
            bytes=held + 4 * sum(arrays.values()),
            arrays=arrays,
            initial=initial,
            losses=LOSSES[self.kind],
            identity={
                "network": " ".join(net.digest() for net in self.networks.values()),
                "images": of_arrays(self.pool),
                "labelled": of_arrays(self.labelled.astype(np.float32)),
            },
            verb=self.kind,
            checkpoint=f"active-{self.kind}.checkpoint.safetensors",
            log=f"active-{self.kind}.jsonl",
        )

    def _train(self, folder, resume, progress, callback) -> dict[str, np.ndarray]:
        bar, take = of_training(progress, self.kind)

        def tell(event):
            take(event)
            if callback is not None:
                callback(event)

        run = None if folder is None else folder.path
        state = run_job(self._job(), self.options, run, resume=resume, progress=bar, callback=tell)
        state.raise_if_stopped()
        return state.arrays

    # ---- what the networks say ----

    def _score(self, arrays, bar) -> dict[str, np.ndarray]:
        return (self._of_vaal if self.kind == "vaal" else self._of_instances)(arrays, bar)

    def _crops(self, rows, first: int) -> np.ndarray:
        names = ("size", "smallest", "stretch", "flip", "seed")
        options = {name: getattr(self.options, name) for name in names}
        rows = np.ascontiguousarray(rows, np.uint32)
        return _core.crops(self.pool, rows, options, networks.IMAGE_CHANNELS, SCORED + first)

    def _run(self, name: str, arrays, images: np.ndarray) -> np.ndarray:
        """[N][C], after training."""
        weights = arrays[f"{name}.parameters"], arrays[f"{name}.state"]
        return self.networks[name].run(images, *weights)[0][:, 0, 0]

    def _of_vaal(self, arrays, bar) -> dict[str, np.ndarray]:
        """By batches in random order, each normalised by itself, as published; the first images
        fill the last batch."""
        batch, size, latent = int(self.options.batch), int(self.options.size), self.sizes.latent
        order = np.random.default_rng(self.options.seed).permutation(self.unlabelled)
        plan = _core.plan_create(self.networks["encoder"].graph(), batch, size, size, True)
        parameters, state = arrays["encoder.parameters"], arrays["encoder.state"]
        values = np.full(len(self.pool), np.nan)
        for k in range(0, len(order), batch):
            rows = np.concatenate([order[k : k + batch], order])[:batch]
            views = self._crops(rows, k)
            code = _core.plan_forward(plan, parameters, state.copy(), views, 0, 0, None)[0]
            mean = np.ascontiguousarray(code[..., :latent])
            logits = self._run("discriminator", arrays, mean)[:, 0]
            fresh = len(order[k : k + batch])
            values[rows[:fresh]] = -logits[:fresh].astype(np.float64)
            if bar:
                bar(k + fresh, len(order))
        return {"vaal": values}

    def _of_instances(self, arrays, bar) -> dict[str, np.ndarray]:
        count = len(self.pool)
        values = {m: np.empty(count) for m in ("loss", "uncertainty", "entropy")}
        for i in range(count):
            views = self._crops(np.full(self.views, i), i * self.views)
            code = self._run("encoder", arrays, views)[:, None, None]
            p, q = (np.exp(self._run(n, arrays, code).astype(float)) for n in ("first", "second"))
            mean = (p + q) / 2
            target = np.zeros(count)
            target[i] = 1
            values["loss"][i] = ((mean - target) ** 2).mean()
            values["uncertainty"][i] = np.abs(p - q).sum(1).mean()
            safe = np.where(mean > 0, mean, 1)
            values["entropy"][i] = -(mean * np.log(safe)).sum(1).mean()
            if bar:
                bar(i + 1, count)
        return values
