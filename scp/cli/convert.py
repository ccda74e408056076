"""scp convert: a landmark file of one tool made to one of another."""

from __future__ import annotations

from ..landmarks.names import visible
from .arguments import add_file_options, file_options, say_next, spacing_argument


def add_convert(commands) -> None:
    """The parser of scp convert."""
    from ..landmarks.formats import writable_names

    verb = commands.add_parser(
        "convert",
        help="a landmark file of one tool made to one of another",
        description="Read a file of landmarks, or the folder of a tool, and write it for another "
        "tool. Formats that do not count pixels from a corner need the images.",
    )
    verb.set_defaults(run_command=run_convert)
    verb.add_argument("source", help="the file or folder that is read")
    verb.add_argument("target", help="the file or folder that is written")
    what = verb.add_argument_group("what")
    what.add_argument(
        "--to", choices=writable_names(), help="the tool (default: by the suffix of TARGET)"
    )
    what.add_argument("--images", metavar="DIR", help="the folder of the images")
    what.add_argument(
        "--spacing",
        metavar="MM",
        help="with --images: mm per pixel, 0.1 or 0.1,0.2 (sy,sx), or a CSV image,sy,sx",
    )
    add_file_options(verb.add_argument_group("the file that is read"))


def run_convert(args) -> int:
    from ..datasets import folder
    from ..landmarks.convert import convert_landmarks
    from ..landmarks.formats import named

    images = None
    if args.images is not None:
        images = folder(args.images)
        if args.spacing is not None:
            images = images.with_spacing(spacing_argument(args.spacing))
    elif args.spacing is not None:
        raise ValueError("--spacing goes with --images")
    found = convert_landmarks(
        args.source, args.target, to=args.to, images=images, **file_options(args)
    )
    count = int(found.present.sum())
    print(
        f"{len(found)} images, {len(found.names)} landmarks, {count} points in "
        f"{visible(args.target)}"
    )
    if args.to is not None and named(args.to).instructions:
        say_next([(named(args.to).instructions, "")])
    return 0
