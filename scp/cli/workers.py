"""--dask and what goes with it: arguments of several verbs."""

from __future__ import annotations

from .arguments import no_effect


def add_workers(parser) -> None:
    """--dask and --share; `workers_of` reads them."""
    many = parser.add_argument_group("many machines (docs/how-to/many-machines.md)")
    many.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a scheduler of Dask, tcp://host:8786, or its scheduler file: its workers do the "
        "work on images",
    )
    many.add_argument(
        "--share",
        metavar="DIR|URL",
        help="where workers read tasks and write results: a folder that all machines see, or a URL "
        "such as s3://bucket/folder (default: in the run folder)",
    )
    many.add_argument("--task-images", type=int, metavar="N", help="images of a task (default 16)")


def workers_of(args):
    """The `scp.distributed.Workers` of --dask, or None."""
    from ..distributed import connect
    from ..distributed.workers import PART

    if args.dask is None:
        no_effect(args, "without --dask", "share", "task_images")
        return None
    part = PART if args.task_images is None else args.task_images
    if part < 1:
        raise ValueError(f"--task-images must be at least 1, got {part}")
    try:
        return connect(args.dask, args.share, part=part)
    except ImportError as error:
        raise ValueError(f"--dask: {error}") from None
