"""scp export: the chosen images for the tool in which they are marked."""

from __future__ import annotations

from ..landmarks.names import visible
from .arguments import add_data, open_data, run_path, say_next, shell_of


def add_export(commands) -> None:
    """The parser of scp export."""
    from ..landmarks.formats import writable_names

    verb = commands.add_parser(
        "export",
        help="the chosen images for a tool in which they are marked",
        description="Write the images that scp select chose, in pick order, as a file of an "
        "annotation tool; scp detect --templates reads what comes back from it.",
    )
    verb.set_defaults(run_command=run_export)
    add_data(verb)
    what = verb.add_argument_group("export")
    what.add_argument("--to", required=True, choices=writable_names(), help="the tool")
    what.add_argument(
        "--predictions", action="store_true", help="with the points that scp detect found"
    )
    what.add_argument("--run", metavar="DIR", help="run folder (default runs/NAME of the images)")
    what.add_argument("-o", "--out", metavar="OUT", help="default: export-TOOL in the run folder")


def run_export(args) -> int:
    from ..landmarks.formats import named
    from ..run.exporting import export_run
    from ..run.next import with_features_of
    from ..run.spacing import with_kept_spacing

    pool = open_data(args)
    folder = run_path(args, pool)
    pool = with_kept_spacing(pool, folder)
    written, points = export_run(folder, pool, args.to, predictions=args.predictions, out=args.out)
    print(f"the chosen images for {named(args.to).title}: {visible(str(written))}")
    shell = with_features_of(folder, shell_of(args, folder))
    find = shell.command("detect", "--templates", "FILE")
    labels = f"The labels: {', '.join(points.names)}."
    say_next(
        [
            (named(args.to).instructions, ""),
            (labels, ""),
            ("Then find the others with what is saved:", find),
        ]
    )
    return 0
