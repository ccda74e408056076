"""What to do next: a sentence, and the command (or the line of Python) where there is one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..annotate import Written
from ..landmarks import Landmarks
from ..landmarks.edits import ledger_of
from ..measures import can_measure
from ..runs.config import made_by, read_config
from ..runs.folder import CONFIG, LANDMARKS, MARKS, REFINED, WEIGHTS
from .marks import given_marks
from .measuring import spacing_in
from .spacing import spacing_words

if TYPE_CHECKING:
    from .finding import Finding as Run

Step = tuple[str, str]
FIRST = 5  # images to look at first
MOST_IDS = 30  # in a command; more stand in a file
TEMPLATES = "templates.txt"


@dataclass(frozen=True)
class Shell:
    """Words of the command line that name a run, for the commands that come next.

    Attributes:
        images: the images and what kind of data set they are. run: --run DIR. features: which are
            used. templates: which images are annotated. program: how this program is called.
    """

    images: list[str]
    run: list[str]
    features: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    program: list[str] = field(default_factory=lambda: ["scp"])

    def command(self, verb: str, *more: str) -> str:
        words = [
            *self.program,
            verb,
            *self.images,
            *self.run,
            *self.features,
            *self.templates,
            *more,
        ]
        return shlex.join(words)


def of_images(shell: Shell) -> Shell:
    """The same images and run, for a verb that computes nothing."""
    return replace(shell, features=[], templates=[])


def with_features_of(run: Path, shell: Shell) -> Shell:
    """With the features of the run's choice, where a verb would take others by itself."""
    try:
        made = read_config(run / CONFIG)["features"]
        name, given = made["features"], made_by(made)
    except (ValueError, OSError, KeyError, TypeError):  # said by who needs the settings
        return shell
    words = []
    if name == "gradient" and (run / WEIGHTS).is_file():  # which would be taken
        words = ["--features", "gradient"]
    elif name == "maps" and given["features"]:
        words = ["--features", str(given["features"])]
        words += ["--feature-ids", str(given["feature_ids"])] if given["feature_ids"] else []
        words += ["--size", "x".join(map(str, given["size"]))]
    return replace(shell, features=words)


def after_select(run: Run) -> list[Step]:
    """Mark, then find."""
    if run.path is None:
        line = 'found = run.detect(scp.read_landmarks("marks.csv"))'
        return [("Mark the landmarks of these images, then find them in all the others:", line)]
    data, marks = run.dataset, run.path / MARKS
    shell = run.shell
    page = of_images(shell).command("annotate") if shell else "run.annotate()"
    mark = (
        f"Mark these images: on a page in the browser, as below, or fill in x and y of each "
        f"landmark, in pixels of the image, in {marks}. Rename, add or remove lines as you need; "
        "empty cells are an absent landmark."
    )
    if data.landmarks is not None and np.isfinite(data.landmarks[run.chosen()]).any():
        mark = (
            "The data set has landmarks of these images: nothing needs to be marked. (Marks that "
            f"you fill in in {marks} count instead.)"
        )
        page = ""
    find = "Then find the landmarks in all the others:"
    call = "found = run.detect()"
    if run.whole_images:
        find = "Vectors of whole images know no places: other features find the landmarks then:"
        call = "found = scp.Run(run.dataset, run.path).detect()"
    steps = [(mark, page), (find, shell.command("detect") if shell else call)]
    if run.extractor.name == "gradient" and not (shell and shell.features):
        line = "scp.FeatureExtractor().fit(run.dataset, minutes=10, run=run)"
        line = shell.command("train", "--minutes", "10") if shell else line
        steps.append(
            ("Features trained on these images know places better; choose again then:", line)
        )
    return steps


def after_annotating(run: Path, page: Written, shell: Shell) -> list[Step]:
    """Open the page, mark, and find with what it saves, beside what was marked before."""
    before = [str(run / LANDMARKS)] if (run / LANDMARKS).is_file() else []
    if not before and given_marks(run) is not None:
        before = [str(run / MARKS)]
    find = shell.command("detect", "--templates", *before, page.saves)
    return [
        (
            f"Open {page.path} in a browser (it needs no network). Mark, correct, and press Save: "
            f"the browser puts {page.saves} into its downloads.",
            "",
        ),
        ("Then find the landmarks in all the others, with that file:", find),
    ]


def after_finding(run: Run, found: Landmarks, file: Path, refined: bool = False) -> list[Step]:
    """Look, correct, find again or refine, and measure where the truth is known."""
    first = ", ".join(found.ids[i] for i in found.least_certain(FIRST))
    look, page = f"Look at the least certain images first: {first}." if first else "", ""
    if run.path is not None and file == run.path / LANDMARKS:
        look += (
            f" Correct what is wrong in {file}, or on a page in the browser: your points are kept, "
            "and used as marks."
        )
        page = f"run.annotate(least_certain={FIRST})"
        if run.shell:
            page = of_images(run.shell).command("annotate", "--least-certain", str(FIRST))
        page = page if first else ""
    shell, steps = run.shell, [(look.strip(), page)] if look else []
    again, refine = "run.detect(...)", "scp.LandmarkRefiner(start=run.extractor).fit(...)"
    if refined:
        again = shell.command("refine", "--fresh") if shell else refine
        steps.append(("After corrections, learn from them too:", again))
    else:
        again = shell.command("detect") if shell else again
        steps.append(("After corrections, find the others again:", again))
        anew = ["--fresh"] if run.path and (run.path / REFINED).is_file() else []
        refine = shell.command("refine", "--minutes", "10", *anew) if shell else refine
        steps.append(("Or train a network on what was found, which errs less:", refine))
    if run.path is not None and file == run.path / LANDMARKS and can_measure(found.names):
        words = [*shell.program, "measure", str(run.path)] if shell else []
        line = shlex.join(words) if words else "run.measure()"
        with_what = ", with intervals" if found.error is not None else ""
        steps.append((f"Angles and distances from these landmarks{with_what}:", line))
    if run.dataset.landmarks is not None:
        steps.append(
            (
                "How far off they are, without the images that a person marked:",
                _measure(run, found, file),
            )
        )
    return steps


def after_evaluation(
    worst: list[str],
    landmarks: Path,
    page: Path | None,
    again: str,
    pictures: bool,
    pixels: bool = False,
) -> list[Step]:
    """Look at the worst images, and correct what was found.

    worst: ids. landmarks: the file that was measured. page: with all numbers, if it was written;
    again: the command that measured. pictures: the page shows the images. pixels: the errors are in
    pixels, as no spacing was known.
    """
    first, steps = ", ".join(list(dict.fromkeys(worst))[:FIRST]), []
    what = "pictures" if pictures else "all numbers"
    if first:
        where = f"; {what} in {page}" if page else ""
        steps.append((f"Look at the images with the largest errors first: {first}{where}.", ""))
    if pixels:
        kept = spacing_in(landmarks.parent)
        mm = "MM" if kept is None else shlex.quote(",".join(map(str, np.atleast_1d(kept))))
        steps.append(("In millimetres, by the spacing of the images:", f"{again} --spacing {mm}"))
    if not page:
        text = f"Write {'pictures and ' if pictures else ''}all numbers as files:"
        steps.append((text, f"{again} --out evaluation"))
    if landmarks.name == LANDMARKS and ledger_of(landmarks).is_file():
        text = f"Correct what is wrong in {landmarks}: your points are kept, and used as marks"
        steps.append((f"{text}, by the next scp detect or scp refine of this run.", ""))
    return steps


def after_measuring(
    widest: list[str], again: str, written: bool, truth: bool, detect: str
) -> list[Step]:
    """Look at the widest intervals, correct, write, compare.

    widest: ids. again: the command of this. written: files were. truth: they were compared.
    detect: the file whose corrections count, or "".
    """
    steps = []
    if widest:
        first = ", ".join(widest[:FIRST])
        also = f" Points that you correct in {detect} count as exact." if detect else ""
        steps.append((f"Look at the images with the widest intervals first: {first}.{also}", ""))
    if not written:
        steps.append(("Write a table, all numbers and a page:", f"{again} -o measurements"))
    if not truth:
        steps.append(("Where true landmarks are known, compare:", f"{again} --truth FILE"))
    if not steps:
        steps.append(("Measure what you define: copy a built-in set and change it.", ""))
    return steps


def _measure(run: Run, found: Landmarks, file: Path) -> str:
    if run.shell is None:
        return "scp.evaluate(found, run.dataset)"
    hand = [i for i, by in zip(found.ids, found.by_hand.any(axis=1), strict=True) if by]
    plain = all("," not in i and i == i.strip() and not i.startswith(("@", "-")) for i in hand)
    words = ["--exclude", ",".join(hand)] if hand else []
    if hand and run.folder is not None and (len(hand) > MOST_IDS or not plain):
        run.folder.write_text(TEMPLATES, "".join(f"{name}\n" for name in hand))
        words = ["--exclude", f"@{run.path / TEMPLATES}"]
    known = [] if "--spacing" in run.shell.images else spacing_words(run.dataset, run.path)
    images = [str(file), *run.shell.images, *known]
    return replace(of_images(run.shell), images=images).command("evaluate", *words)
