"""Which images `scp reproduce` works on: options, and what they open."""

from __future__ import annotations

from ..arguments import FILE_OPTIONS, add_file_options, spacing_argument, split_sizes

WORDS = (  # of the command for the other parts
    "dataset",
    "root",
    "images",
    "annotations",
    "train_split",
    "test_split",
    "splits",
    "sizes",
    "spacing",
    "unit",
    *FILE_OPTIONS,
)


def add_data(verb, kinds: list[str]) -> None:
    """The group of options that say which images."""
    data = verb.add_argument_group("data")
    data.add_argument(
        "--dataset",
        choices=kinds,
        help="default: what the parts are made of; all: every data set of the paper below --root",
    )
    data.add_argument("--root", metavar="DIR", help="of the data set, or a folder above it")
    data.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="phantom: training images, and as many test images (default 40)",
    )
    data.add_argument(
        "--annotations",
        metavar="FILE",
        help="table, coco, folder: the file of landmarks (default: landmarks.csv, landmarks.json "
        "or annotations.json in the root); hand: instead of all.csv",
    )
    for name, usual in (("train", "train.txt, train/"), ("test", "test.txt, val.txt, test/, val/")):
        data.add_argument(
            f"--{name}-split",
            metavar="NAME|FILE",
            help="a file with one id a line, a value of the column of --splits, a sub-folder of "
            f"the images (default: {usual})"
            + ("; cephalometric: test1, test2" if name == "test" else ""),
        )
    data.add_argument(
        "--splits",
        metavar="FILE:COLUMN",
        help="a CSV whose column (default split) says to which split an image belongs",
    )
    data.add_argument(
        "--sizes",
        type=split_sizes,
        metavar="N,N",
        help="hand: how many images train and test have (default 609,300)",
    )
    data.add_argument(
        "--spacing",
        metavar="MM|FILE",
        help="mm per pixel of the original images, 0.1 or 0.1,0.2 (sy,sx), or a CSV with the "
        "header image,sy,sx; hand: wrist (default), payer: docs/reference/datasets.md",
    )
    data.add_argument(
        "--unit",
        metavar="U",
        help="of errors: mm; px of the original images; side: percent of an image's longer side; "
        "A,B: percent of the distance between two landmarks, by name, or number from 0 (default: "
        "mm where the spacing is known, else px)",
    )
    add_file_options(verb.add_argument_group("file of landmarks (table, coco, folder)"))


def load_data(args, test: bool, folder, progress):
    """The `scp.experiments.Data` that the options say."""
    from ...datasets.hand import WRISTS
    from ...experiments import load

    read = {name: getattr(args, name) for name in FILE_OPTIONS if name in args.given}
    listed = "table" if args.dataset == "folder" else args.dataset
    for name in read:
        if listed not in FILE_OPTIONS[name][0]:
            raise ValueError(f"--{name} goes with --dataset {', '.join(FILE_OPTIONS[name][0])}")
    named = args.dataset == "hand" and args.spacing in WRISTS
    return load(
        args.dataset,
        args.root,
        images=args.images,
        test=test,
        annotations=args.annotations,
        train_split=args.train_split,
        test_split=args.test_split,
        splits=args.splits,
        sizes=args.sizes,
        spacing=args.spacing if named else spacing_argument(args.spacing),
        unit=args.unit,
        read=read,
        folder=folder,
        progress=progress,
    )
