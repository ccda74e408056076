"""scp verify: whether a run folder's choice is what it says."""

from __future__ import annotations

import json


def add_verify(commands) -> None:
    """The parser of scp verify."""
    verify = commands.add_parser(
        "verify", help="whether a choice is what it says: score, rules, bound and proof, yes or no"
    )
    verify.set_defaults(run_command=run_verify)
    verify.add_argument("run", metavar="RUN", help="a run folder with a selection.json")
    verify.add_argument("--json", action="store_true", help="print JSON")


def run_verify(args) -> int:
    """0: yes, 1: no."""
    from ..selection import verify

    verdict = verify(args.run)
    if args.json:
        content = {"holds": bool(verdict), "shown": verdict.shown, "faults": verdict.faults}
        print(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        print(verdict)
    return 0 if verdict else 1
