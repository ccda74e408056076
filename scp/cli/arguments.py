"""Arguments that several verbs share: types, images, features, output."""

from __future__ import annotations

import argparse
import csv
import inspect
import io
import os
import shutil
import sys
from pathlib import Path

from ..errors import DatasetError
from ..landmarks.names import visible


def byte_count(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    number = text.upper().removesuffix("B").removesuffix("I")
    scale = units.get(number[-1:], 1)
    try:
        value = float(number[:-1] if scale > 1 else number) * scale
    except ValueError:
        value = -1
    if not 0 < value < 1 << 60:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a size like 500M or 2G")
    return int(value)


def size(text: str) -> tuple[int, int]:
    """Argument type: "384" or "768x384", rows x columns."""
    try:
        numbers = [int(part) for part in text.lower().split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers, default=0) < 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a size like 384 or 768x384")
    return numbers[0], numbers[-1]


MOST = 1_000_000  # the largest M of a list


def counts(text: str) -> list[int] | None:
    """Argument type: "5", "1,3,5", "1-5"; None for "any"."""
    if text == "any":
        return None
    out: list[int] = []
    for part in text.split(","):
        first, dash, last = (cell.strip() for cell in part.partition("-"))
        ends = [first, last] if dash else [first, first]
        if not all(end.isascii() and end.isdecimal() for end in ends):
            raise argparse.ArgumentTypeError(f"{text[:60]!r} is not like 5, 1,3,5, 1-5 or any")
        if max(len(end) for end in ends) > 9 or int(ends[1]) > MOST or len(out) > MOST:
            raise argparse.ArgumentTypeError(f"{text[:60]!r}: M must be at most {MOST:,}")
        if not 1 <= int(ends[0]) <= int(ends[1]):
            raise argparse.ArgumentTypeError(
                f"{text[:60]!r}: M must be at least 1, and a range like 1-5 ascends"
            )
        out += range(int(ends[0]), int(ends[1]) + 1)
    return out


def names(text: str) -> list[str]:
    """Argument type: ids with commas between (in quotes where an id has one), or @FILE with one id
    a line (`read_ids`)."""
    from ..landmarks.lists import read_ids

    try:
        if text.startswith("@"):
            return read_ids(text[1:])
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        return [cell.strip() for cell in cells if cell.strip()]
    except (ValueError, csv.Error) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def split_sizes(text: str) -> tuple[int, int]:
    """Argument type: "609,300"."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(p.isascii() and p.isdecimal() and len(p) < 10 for p in parts):
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not two counts like 609,300")
    return int(parts[0]), int(parts[1])


def two_numbers(text: str) -> tuple[float, float]:
    """Argument type: "0,4095"."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not two numbers like 0,4095") from None
    return low, high


def landmark_names(text: str) -> list[str]:
    """Argument type: names of landmarks as `names`, or how many there are."""
    if text.isascii() and text.isdigit():
        count = int(text)
        if not 1 <= count <= 10_000:
            raise argparse.ArgumentTypeError(f"{text}: 1 to 10000 landmarks")
        return [str(k + 1) for k in range(count)]
    found = names(text)
    if len(set(found)) != len(found) or not found:
        raise argparse.ArgumentTypeError(f"{text!r}: names of landmarks, each once")
    return found


def landmark_source(text: str) -> str | list[str]:
    """Argument type: a file, a built-in list, or names as `landmark_names`."""
    from ..run.marks import BUILT_IN

    if text in BUILT_IN or os.path.exists(text):
        return text
    if text.lower().endswith((".csv", ".txt", ".json")):
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such file")
    return landmark_names(text)


def no_effect(args, where: str, *options: str) -> None:
    """ValueError where one of these options was given, even with its default: it does nothing here,
    which WHERE says."""
    for name in options:
        if name in getattr(args, "given", ()):
            raise ValueError(f"{option_of(name)} has no effect {where}")


def option_of(name: str) -> str:
    """An argument's name as it is given: --max-nodes, -m."""
    return f"--{name.replace('_', '-')}" if len(name) > 1 else f"-{name}"


def usual(*functions) -> dict[str, object]:
    """Default of every parameter of functions that has one: what --help and the library share."""
    return {
        name: parameter.default
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not parameter.empty
    }


def add_which_features(group) -> None:
    """--features and --feature-ids."""
    group.add_argument(
        "--features",
        default="auto",
        metavar="F",
        help="auto (trained if the run folder has them), trained, gradient; or your own "
        "(docs/how-to/own-features.md): vectors or maps in a .npy, .npz, .csv or .safetensors "
        "file, a folder of .npy maps, "
        "FILE.py:FUNCTION",
    )
    group.add_argument(
        "--feature-ids",
        metavar="FILE",
        help="image ids of the rows of your own features, one a line (default: those in the .npz; "
        "else the rows are the images in their order)",
    )


def add_features(group) -> None:
    """Arguments that say which features are used; `scp.features.extractor_for` takes them."""
    add_which_features(group)
    group.add_argument(
        "--model", metavar="FILE", help="of trained features, instead of the run folder's"
    )
    group.add_argument(
        "--size",
        type=size,
        metavar="S",
        help="of the grid in pixels, 384 or 768x384 (rows x columns); default: "
        "that of the training, or 384",
    )


def add_output(parser, json: str | None, run: str = "runs/NAME"):
    """The group of --run, --json (what it prints; None: without it), --threads and --quiet."""
    output = parser.add_argument_group("output and resources")
    output.add_argument("--run", metavar="DIR", help=f"run folder (default {run})")
    if json is not None:
        output.add_argument("--json", action="store_true", help=f"print {json}")
    output.add_argument("--threads", type=int, help="default: all this process may use")
    output.add_argument("--quiet", action="store_true", help="no progress")
    return output


def run_path(args, pool) -> Path:
    """The run folder of a verb with images: --run, or one named after them."""
    place = Path(args.images).resolve()
    return run_folder(args, pool, place.name or "images", place.parent.name)


def run_folder(args, pool, name: str, parent: str = "") -> Path:
    """--run, checked not to be another data set's; or runs/NAME, or where that is, another, which
    is said."""
    from ..runs import check_owner, free_folder

    if args.run:
        check_owner(args.run, pool)
        return Path(args.run)
    folder, taken = free_folder(pool, name, parent)
    if taken is not None:
        text = f"note: runs/{name} belongs to another data set, {taken}; this is {folder}"
        print(text, file=sys.stderr)
    return folder


KINDS = ("folder", "cephalometric", "hand", "wflw", "coco", "table")
# How a file of landmarks is read (`scp.read_landmarks`): option, the data sets it goes with, its
# default, what it means.
FILE_OPTIONS: dict[str, tuple[tuple[str, ...], str | None, str]] = {
    "format": (
        ("table",),
        None,
        "its format (default: as its content says), see docs/reference/formats.md",
    ),
    "category": (
        ("coco", "table"),
        None,
        "of a file with several (categories of COCO, individuals of DeepLabCut), which",
    ),
    "origin": (
        ("coco", "table"),
        None,
        "the first pixel's center is (0, 0) in it, or its corner is, or its centre is (1, 1): one "
        "(default: as its format says)",
    ),
    "several": (
        ("coco", "table"),
        "raise",
        "raise, or largest, where an image has several instances (COCO, DeepLabCut)",
    ),
    "units": (
        ("table",),
        None,
        "it counts pixels (default), or fraction (0 to 1) or percent of width and height",
    ),
}
# Option, the data sets it goes with, its default, what it means. A default of None is the
# loader's own.
_OPTIONS = (
    (
        "split",
        ("cephalometric", "hand", "wflw"),
        "train",
        "cephalometric: train, test1, test2, all; hand: train, test, all; wflw: train, test",
    ),
    ("annotator", ("cephalometric",), None, "cephalometric: mean (default), junior, senior"),
    (
        "annotations",
        ("hand", "wflw", "coco", "table"),
        None,
        "the file of landmarks: coco: JSON; table: CSV; hand, wflw: instead of the usual one",
    ),
    (
        "spacing",
        KINDS,
        None,
        "mm per pixel of the original images, 0.1 or 0.1,0.2 (sy,sx), or a CSV with the header "
        "image,sy,sx; hand: wrist or payer, docs/reference/datasets.md; default: what the data set "
        "knows",
    ),
    (
        "unmatched",
        ("hand", "table"),
        "raise",
        "hand, table: raise or skip landmarks without an image and images without landmarks",
    ),
    ("ids", ("folder", "table"), "path", "path, or uid: images are called by their UIDs in DICOM"),
    (
        "scale",
        ("folder", "table", "coco"),
        None,
        "LOW,HIGH: black and white of floating-point, signed and 32-bit pixels (--scale=-1,1)",
    ),
    ("sizes", ("hand",), None, "hand: how many images train and test have (default 609,300)"),
    ("subset", ("wflw",), None, "wflw: pose, expression, illumination, make-up, occlusion or blur"),
    *((name, kinds, default, None) for name, (kinds, default, _) in FILE_OPTIONS.items()),
)


def add_data(parser, file: str | None = None):
    """Arguments that say which images; `open_data` reads them.

    file: the argument of the verb that is a file of landmarks, "templates": the options that say
        how such files are read are of this one too, and `file_options` gives them.
    """
    parser.add_argument("images", help="folder of images, or root of the data set; or a run folder")
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", choices=KINDS, default="folder", help="the kind of data set")
    for name, _, default, meaning in _OPTIONS:
        if meaning is not None:
            kind = {"sizes": split_sizes, "scale": two_numbers}.get(name)
            data.add_argument(f"--{name}", default=default, type=kind, help=meaning)
    data.add_argument(
        "--on-error",
        choices=["raise", "skip"],
        default="raise",
        help="what to do with a file that cannot be read",
    )
    more = f", {file if file == 'landmarks' else '--' + file}" if file else ""
    add_file_options(parser.add_argument_group(f"file of landmarks (coco, table{more})"))
    parser.set_defaults(of_file=file)
    return data


def add_file_options(group) -> None:
    """How a file of landmarks is read; `file_options` gives it."""
    for name, (_, default, meaning) in FILE_OPTIONS.items():
        group.add_argument(f"--{name}", default=default, help=meaning)


def file_options(args, file: str = "") -> dict[str, str | None]:
    """Arguments of `scp.read_landmarks` for the file of a verb. --category and --several are of
    the annotations of a data set where there are such, unless the file is JSON as well."""
    found = {name: getattr(args, name) for name in FILE_OPTIONS}
    if getattr(args, "dataset", "") in ("coco", "table") and not file.lower().endswith(".json"):
        del found["category"], found["several"]
    return found


def open_data(args):
    """The data set that the arguments name; of a run folder, the one that it is of."""
    _recall(args)
    spacing = None if by_wrist(args) else spacing_argument(args.spacing)
    data = _opened(args, spacing)
    data.opened = _arguments(args)
    if spacing is None:
        return data
    try:
        return data.with_spacing(spacing)
    except DatasetError:  # names the file
        raise
    except ValueError as error:
        raise ValueError(f"--{error}") from None


def by_wrist(args) -> bool:
    """Whether --spacing is the name of a way to take it from the wrists of hands."""
    from ..datasets.hand import WRISTS

    return args.dataset == "hand" and args.spacing in WRISTS


def _arguments(args) -> dict[str, object]:
    """What opens these images again, in another folder too; the spacing is kept by the run."""
    said = {"images": os.path.abspath(args.images), "dataset": args.dataset}
    for name, kinds, default, _ in _OPTIONS:
        value = getattr(args, name)
        named = name != "spacing" or by_wrist(args)
        if args.dataset in kinds and named and value != default:
            value = list(value) if isinstance(value, tuple) else value
            said[name] = os.path.abspath(value) if name == "annotations" else value
    return said | ({"on_error": args.on_error} if args.on_error != "raise" else {})


def _recall(args) -> None:
    """Puts into the arguments what a run folder, given in place of the images, says of them."""
    from ..runs import opened_in

    folder = args.images
    said = opened_in(folder)
    if said is None:
        return
    mine = {"dataset", "on_error", *(name for name, *_ in _OPTIONS)} - {"spacing"}
    if args.of_file is not None:  # they are of this file as well
        mine -= FILE_OPTIONS.keys()
    no_effect(args, f"on a run folder: {folder} says it", *sorted(mine))
    if getattr(args, "run", None) not in (None, folder):
        raise ValueError(f"--run: {folder} is a run folder already; name the images instead")
    args.run = folder
    given = FILE_OPTIONS.keys() & set(getattr(args, "given", ()))
    given |= {"spacing"} & set(getattr(args, "given", ()))
    for name, value in said.items():
        if name in ({"images", "dataset", "on_error", *(n for n, *_ in _OPTIONS)} - given):
            setattr(args, name, tuple(value) if isinstance(value, list) else value)


def _opened(args, spacing):
    from .. import datasets

    file = args.of_file
    present = file is not None and getattr(args, file) is not None
    if file == "landmarks" and args.dataset in ("coco", "table"):
        present = False  # of two files, the options are of the annotations
    for name, kinds, default, _ in _OPTIONS:
        ours = args.dataset in kinds or (present and name in FILE_OPTIONS)
        given = getattr(args, name) != default or name in getattr(args, "given", ())
        if given and not ours:
            more = f"--{file} or " if file is not None and name in FILE_OPTIONS else ""
            raise ValueError(f"--{name} goes with {more}--dataset {' or '.join(kinds)}")
    given = {
        name: getattr(args, name)
        for name, kinds, default, _ in _OPTIONS
        if args.dataset in kinds and (default is not None or getattr(args, name) is not None)
    }
    given["on_error"] = args.on_error
    if not by_wrist(args):
        given.pop("spacing", None)
    if present:
        given.pop("format", None)  # of the file of the verb
    file = given.pop("annotations", None)
    if args.dataset in ("coco", "table"):
        if file is None:
            raise ValueError(f"--dataset {args.dataset} needs --annotations FILE")
        return getattr(datasets, args.dataset)(file, args.images, **given)
    if args.dataset == "hand" and spacing is not None:
        given["spacing"] = None  # the wrist is not asked
    if file is not None:
        given["table" if args.dataset == "hand" else "list_file"] = file
    return getattr(datasets, args.dataset)(args.images, **given)


def data_words(args) -> list[str]:
    """The arguments again, without the folder, as words of another command."""
    words = [] if args.dataset == "folder" else ["--dataset", args.dataset]
    for name, kinds, default, _ in _OPTIONS:
        value = getattr(args, name)
        if args.dataset in kinds and (value != default or name == "split"):
            value = ",".join(map(str, value)) if name in ("sizes", "scale") else value
            words += [f"--scale={value}"] if name == "scale" else [f"--{name}", value]
    return words + (["--on-error", args.on_error] if args.on_error != "raise" else [])


def shell_of(args, run: Path | str, *templates: str):
    """The words by which the next command finds the same images and run."""
    from ..run.next import Shell

    features = given_words(args, "features", "feature_ids", "model", "size")
    images = [args.images, *data_words(args)]
    return Shell(images, ["--run", str(run)], features, list(templates), program())


def program() -> list[str]:
    """How this program was called: outside its environment `scp` is another, which copies files."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("scp", "__main__.py"):
        return [_shortest(sys.executable), "-m", "scp"]
    return [_shortest(sys.argv[0])] if called.stem == "scp" else ["scp"]


def _shortest(file: str) -> str:
    """The name alone where the shell finds this very file by it."""
    found = shutil.which(os.path.basename(file))
    return (
        os.path.basename(file)
        if found and os.path.abspath(found) == os.path.abspath(file)
        else file
    )


def given_words(args, *options: str) -> list[str]:
    """These options as they were given, as words of another command."""
    given = getattr(args, "given", {})
    pairs = [(option_of(name), str(given[name])) for name in options if name in given]
    return [word for pair in pairs for word in pair]


def features_said(run) -> list[str]:
    """Which features are used; of rows without ids, whose they are taken to be."""
    extractor, n, ids = run.extractor, len(run.dataset), run.dataset.ids
    said = extractor.parameters()
    source = visible(said.get("source", ""))
    if run.whole_images:
        lines = [f"{n} images, a vector of {extractor.dimensions} numbers each, of {source}"]
    else:
        height, width = extractor.image_size
        kinds = {"trained": "the trained features", "maps": f"features of {source}"}
        kind = kinds.get(extractor.name, "gradient features")
        lines = [f"{n} images, {kind} at {height} x {width} pixels"]
    if said.get("order") == "of the images":
        order = f"{visible(ids[0])}, .., {visible(ids[-1])}"
        lines.append(f"{source} has no ids: its rows are the images in their order, {order}")
    return lines


def say_next(steps: list[tuple[str, str]]) -> None:
    """The last lines of a verb: what to do next, and the commands."""
    print("\nnext:")
    for text, command in steps:
        print(f"- {visible(text)}" + (f"\n    {visible(command)}" if command else ""), flush=True)


def spacing_argument(text: str | None) -> float | list[float] | str | None:
    """ "0.1" or "0.1,0.2" as numbers; another text is the path of a CSV."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    if "_" in text:  # 1_0 is ten to Python, and a slip of the hand to everyone else
        raise ValueError(f"--spacing: {text!r} is not a number")
    return numbers[0] if len(numbers) == 1 else numbers
