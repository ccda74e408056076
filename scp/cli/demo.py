"""scp demo: the whole path on generated radiographs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .detect import LANDMARKS, write_found
from .progress import bar
from .select import _choose
from .train import fit

DEMO_MINUTES, DEMO_SIZE = 0.75, (192, 192)  # in so short a time small images teach more


def _demo(args) -> int:
    from .. import datasets
    from ..features import FeatureExtractor

    if args.n < 2:
        raise ValueError(f"-n must be at least 2, got {args.n}")
    pool = datasets.phantom(args.n, seed=args.seed)
    plain = args.features == "gradient" or args.weights is not None
    if args.minutes > 0 and not plain and not args.estimate:
        run = args.run = args.run or os.path.join("runs", "demo")
        extractor = FeatureExtractor(seed=args.seed, size=args.size or DEMO_SIZE)
        try:
            finished = fit(extractor, pool, run, args, minutes=args.minutes, resume=not args.fresh)
        except ValueError as error:  # the folder holds another demo's training
            print(f"training anew: {error}", file=sys.stderr)
            finished = fit(extractor, pool, run, args, minutes=args.minutes, resume=False)
        if not finished:
            raise KeyboardInterrupt
    code = _choose(args, pool, "demo", {}, True)
    if code == 0 and not args.estimate and not args.json:
        _demo_landmarks(args, pool)
    return code


def _demo_landmarks(args, pool) -> None:
    """The landmarks of the chosen radiographs in all the others, and how far they are off."""
    from ..detection import LandmarkDetector
    from ..evaluation.metrics import radial_errors
    from ..features import extractor_for

    run = Path(args.run or os.path.join("runs", "demo"))
    chosen = json.loads((run / "selection.json").read_text(encoding="utf-8"))["selected"]
    rows = [entry["index"] for entry in chosen]
    extractor = extractor_for(run, args.features, args.size, args.channels, args.weights)
    found = LandmarkDetector(extractor).fit_predict(
        pool, rows, progress=None if args.quiet else bar("landmarks", len(pool))
    )
    write_found(run / LANDMARKS, run, pool, found.landmarks(), rows)
    others = [i for i in range(len(pool)) if i not in rows]
    if not others:
        return
    errors = radial_errors(found.xy[others], pool.landmarks[others], pool.spacing[others])
    print(
        f"their {errors.shape[1]} landmarks, found in the other {len(others)} images: "
        f"{errors.mean():.2f} mm off on average ({run / LANDMARKS})"
    )
