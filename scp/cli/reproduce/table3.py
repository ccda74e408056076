"""Table 3: faces, landmarks by 3FabRec."""

from __future__ import annotations

from pathlib import Path

from .part import Part, Work, numbered, watched

MINUTES, STEPS, LABELLED, ASKED = 60.0, 300, 50, 300


def _options(parser) -> None:
    faces = parser.add_argument_group("faces (table3)")
    faces.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help=f"of the auto-encoder, instead of --minutes (default {MINUTES:g} minutes)",
    )
    faces.add_argument(
        "--head-steps",
        type=int,
        default=STEPS,
        metavar="N",
        help=f"of each training of landmarks (default {STEPS})",
    )
    faces.add_argument(
        "--face-size",
        type=int,
        default=128,
        choices=(128, 256),
        help="pixels that the networks see (default 128; published: 256)",
    )
    faces.add_argument(
        "--labelled",
        type=int,
        default=LABELLED,
        metavar="M",
        help=f"faces (default {LABELLED})",
    )
    faces.add_argument(
        "--asked",
        type=int,
        default=ASKED,
        metavar="N",
        help=f"faces whose key points are searched in all others (default {ASKED})",
    )
    faces.add_argument(
        "--published",
        action="store_true",
        help="train the auto-encoder with the published options, which want millions of faces",
    )
    faces.add_argument(
        "--batch", type=int, metavar="N", help="of the trainings of landmarks (default 40)"
    )


# Seconds of a processor for a face of 128 pixels: a step of either stage, a face compared with all
# key points. A face of 256 pixels takes about 2.5 times as long.
ENCODED, LEARNED, COMPARED = 0.13, 0.1, 0.3


def _work(job):
    from ...devices import get_threads
    from ...experiments.table3 import ERRORS, FOLDER, REDUCED, WAYS
    from ...faces import AUTOENCODER

    args, seconds, note = job.args, 0.0, ""
    each = (2.5 if args.face_size == 256 else 1.0) / get_threads()
    if not (job.run / AUTOENCODER).is_file():
        seconds = 60 * (MINUTES if args.minutes is None else args.minutes)
        if args.steps is not None:
            batch = 50 if args.published else REDUCED["batch"]
            seconds = args.steps * batch * ENCODED * each
        note = "with the training of the auto-encoder"
    names = [f"{way}-{seed}" for way in WAYS for seed in range(job.seeds("table3"))]
    left = sum(not (job.folder / FOLDER / name / ERRORS).is_file() for name in names)
    if left:
        seconds += left * args.head_steps * (args.batch or 40) * LEARNED * each
        seconds += _faces(args.root) * COMPARED * each
    return Work(seconds, note=note)


def _faces(root) -> int:
    """How many there are to choose from, about."""
    lists = Path(root or "") / "train.txt"
    return len(lists.read_text().splitlines()) if lists.is_file() else 7500


def _make(job):
    from ...experiments import FaceTrainings, load_faces, table3
    from ...experiments.face_choice import Asked

    args = job.args
    if args.root is None:
        raise ValueError("--root: the folder of the faces is needed")
    how = FaceTrainings(
        size=args.face_size,
        minutes=MINUTES if args.minutes is None else args.minutes,
        steps=args.steps,
        published=args.published,
        m=args.labelled,
        seeds=job.seeds("table3"),
        head_steps=args.head_steps,
        batch=args.batch,
        random_state=args.seed,
        asked=Asked(faces=args.asked, random_state=args.seed),
    )
    how.check()
    data = load_faces(args.root)
    watch = None if args.quiet else watched(_about)
    return table3(data, job.run, how, progress=False if args.quiet else None, callback=watch)


def _about(event) -> str:
    landmarks = event["stage"] == "landmarks"
    return numbered("table3", "way")(event) if landmarks else "table3, auto-encoder"


TABLE3 = Part(
    "table3",
    "landmarks of faces by 3FabRec, from few labelled ones",
    _make,
    options=_options,
    uses=("steps", "head_steps", "face_size", "labelled", "asked", "published", "batch"),
    seeds=("of the trainings of each way", 5),
    sizes={},
    test="never",
    kinds=("faces",),
    paper=("faces",),
    own_features=True,
    work=_work,
)
