"""scp select: the images to annotate."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .arguments import _bytes, add_features, add_output, open_data
from .progress import bar


def _add_method(parser) -> None:
    method = parser.add_argument_group("method")
    method.add_argument("--method", default="swap", choices=["random", "greedy", "swap", "exact"])
    method.add_argument("--keypoints", default="sift", choices=["sift", "surf", "orb", "random"])
    method.add_argument("--count", type=int, default=100, help="key points per image at most")
    method.add_argument("--mode", default="nearest", choices=["nearest", "bilinear"])
    method.add_argument(
        "--objective",
        default="similarity",
        choices=["similarity", "cycle"],
        help="cycle: matches that do not come back count less",
    )
    add_features(method)
    method.add_argument("--channels", type=int, help="of gradient features (default 64)")
    method.add_argument("--draws", type=int, default=100_000, help="of the random search")
    method.add_argument("--max-nodes", type=int, help="of the exact search")
    method.add_argument("--seed", type=int, default=0)


def _add_output(parser) -> None:
    output = add_output(parser, "selection.json")
    output.add_argument("--no-report", action="store_true")
    output.add_argument("--estimate", action="store_true", help="print time and memory, then stop")
    output.add_argument("--max-memory", type=_bytes, metavar="SIZE", help="for example 500M, 2G")
    output.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda or cuda:NUMBER (default auto)",
    )


def _select(args) -> int:
    pool = open_data(args)
    rules = {k: getattr(args, k) for k in ("initial", "include", "exclude")}
    if args.groups:
        table = _table(args.groups, pool.ids)
        rules.update(groups=[table.get(i, f"\0{i}") for i in pool.ids], quota=args.quota)
    elif pool.groups is not None:
        rules.update(groups=pool.groups, quota=args.quota)
    if (args.costs is None) != (args.budget is None):
        raise ValueError("--costs and --budget go together")
    if args.costs:
        table = _table(args.costs, pool.ids)
        missing = [i for i in pool.ids if i not in table]
        if missing:
            raise ValueError(f"{args.costs}: no cost for {missing[0]} ({len(missing)} missing)")
        try:
            rules.update(costs=[float(table[i]) for i in pool.ids], budget=args.budget)
        except ValueError as error:
            raise ValueError(f"{args.costs}: {error}") from None
    name = Path(args.images).resolve().name or "images"
    return _choose(args, pool, name, rules, not args.no_duplicates)


class _Estimated(Exception):
    pass


def _choose(args, pool, name: str, rules: dict, duplicates: bool) -> int:
    from ..features import extractor_for
    from ..run import choose

    def say(text=""):
        if not args.json:
            print(text, flush=True)

    def estimated(estimate):
        say(f"similarity: {estimate}")
        if args.estimate:
            raise _Estimated

    if args.method == "random":
        rules["draws"] = args.draws
        rules["checkpoints"] = [c for c in (1_000, 10_000, 50_000, 100_000) if c <= args.draws]
    if args.max_nodes is not None:
        rules["max_nodes"] = args.max_nodes
    run = args.run or os.path.join("runs", name)
    extractor = extractor_for(run, args.features, args.size, args.channels, args.weights)
    kind = "the trained" if extractor.name == "trained" else "gradient"
    say(f"{len(pool)} images, {kind} features at {extractor.size[0]} x {extractor.size[1]} pixels")
    try:
        choice = choose(
            pool,
            args.m,
            method=args.method,
            extractor=extractor,
            keypoints=args.keypoints,
            count=args.count,
            mode=args.mode,
            objective=args.objective,
            max_memory=args.max_memory,
            device=args.device,
            min_distance=getattr(args, "min_distance", None),
            random_state=args.seed,
            duplicates=duplicates,
            run=run,
            report=not args.no_report,
            command=args.command_text,
            progress=None if args.quiet else bar,
            before_similarity=estimated,
            **rules,
        )
    except _Estimated:
        return 0
    for text in choice.warnings:
        print(f"warning: {text}", file=sys.stderr)
    if args.json:
        print(Path(run, "selection.json").read_text(encoding="utf-8"), end="")
        return 0
    s = choice.selection
    if choice.resumed:
        say(f"{choice.resumed} of {len(pool)} similarity rows were done already")
    if choice.brute:
        share = choice.dots / choice.brute
        say(f"similarity took {choice.elapsed['similarity']:.1f} s, {share:.2%} of brute force")
    say()
    for other in choice.curve[:-1]:
        say(
            f"M = {other.m}: score {other.score:.4f}, bound {other.upper_bound:.4f}, "
            f"gap {other.gap:.2%}"
        )
    say(f"Annotate these {len(s.selected)}:")
    for rank, (image, gain) in enumerate(zip(choice.ids, s.gains, strict=True), 1):
        say(f"  {rank}. {image}   gain {gain:.4f}")
    proof = "this is the best possible choice" if s.proven else f"gap {s.gap:.2%}"
    say(f"score {s.score:.4f}; no allowed choice can exceed {s.upper_bound:.4f} ({proof})")
    if choice.expected_error is not None:
        say(f"key points come back {choice.expected_error:.2f} pixels of the grid off on average")
    say(f"files in {run}" + ("" if args.no_report else f"; open {run}/report.html"))
    return 0


def _table(path: str, ids: list[str]) -> dict[str, str]:
    """Lines "id,value"; every id must be known and appear once."""
    known, table = set(ids), {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        name, comma, value = (part.strip() for part in line.rpartition(","))
        if not comma or not name or not value:
            raise ValueError(f"{path}, line {number}: expected id,value, got {line!r}")
        if name not in known:
            raise ValueError(f"{path}, line {number}: no image is called {name!r}")
        if name in table:
            raise ValueError(f"{path}, line {number}: {name!r} appears twice")
        table[name] = value
    return table
