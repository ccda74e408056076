"""The command line's part that says which images: the same arguments for every verb."""

from __future__ import annotations

KINDS = ("folder", "cephalometric", "hand", "wflw", "coco", "table")

# Option, the data sets it goes with, its default, what it means. A default of None is the
# loader's own.
_OPTIONS = (
    (
        "split",
        ("cephalometric", "hand", "wflw"),
        "train",
        "cephalometric: train, test1, test2, all; hand: train, test, all; wflw: train, test",
    ),
    ("annotator", ("cephalometric",), "mean", "cephalometric: mean, junior, senior"),
    (
        "annotations",
        ("hand", "wflw", "coco", "table"),
        None,
        "the file of landmarks: coco: JSON; table: CSV; hand, wflw: instead of the usual one",
    ),
    (
        "spacing",
        ("table",),
        None,
        "table: mm per pixel, 0.1 or 0.1,0.2 (sy,sx), or a CSV with the header image,sy,sx",
    ),
    (
        "unmatched",
        ("hand", "table"),
        "raise",
        "hand, table: raise or skip landmarks without an image and images without landmarks",
    ),
    ("subset", ("wflw",), None, "wflw: pose, expression, illumination, make-up, occlusion or blur"),
    ("category", ("coco", "table"), None, "coco: whose key points, where there are several"),
    (
        "several",
        ("coco",),
        "raise",
        "coco: raise, or largest, where an image has several instances",
    ),
)


def add_data(parser):
    """Arguments that say which images; `open_data` reads them."""
    parser.add_argument("images", help="folder of images, or root of the data set")
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", choices=KINDS, default="folder")
    for name, _, default, meaning in _OPTIONS:
        data.add_argument(f"--{name}", default=default, help=meaning)
    data.add_argument(
        "--on-error",
        choices=["raise", "skip"],
        default="raise",
        help="what to do with a file that cannot be read",
    )
    return data


def open_data(args):
    """The data set that the arguments name."""
    from . import datasets

    for name, kinds, default, _ in _OPTIONS:
        if getattr(args, name) != default and args.dataset not in kinds:
            raise ValueError(f"--{name} goes with --dataset {' or '.join(kinds)}")
    given = {n: getattr(args, n) for n, kinds, _, _ in _OPTIONS if args.dataset in kinds}
    given["on_error"] = args.on_error
    file = given.pop("annotations", None)
    if args.dataset in ("coco", "table"):
        if file is None:
            raise ValueError(f"--dataset {args.dataset} needs --annotations FILE")
        if args.dataset == "table":
            given["spacing"] = _spacing(args.spacing)
        return getattr(datasets, args.dataset)(file, args.images, **given)
    if file is not None:
        given["table" if args.dataset == "hand" else "list_file"] = file
    return getattr(datasets, args.dataset)(args.images, **given)


def data_words(args) -> list[str]:
    """The arguments again, without the folder, as words of another command."""
    words = [] if args.dataset == "folder" else ["--dataset", args.dataset]
    for name, kinds, default, _ in _OPTIONS:
        value = getattr(args, name)
        if args.dataset in kinds and (value != default or name == "split"):
            words += [f"--{name}", value]
    return words + (["--on-error", args.on_error] if args.on_error != "raise" else [])


def _spacing(text: str | None):
    """ "0.1" or "0.1,0.2" as numbers; another text is the path of a CSV."""
    try:
        numbers = [float(part) for part in (text or "").split(",")]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers
