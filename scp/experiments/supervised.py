"""The comparator of Table 2, from our own trainings: networks that saw labelled images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ..progress import renamed
from ..refinement import SupervisedDetector
from ..runs import RunFolder, read_json
from ..runs.fingerprints import of_dataset
from ..runs.folder import SUPERVISED
from .study import Study

MADE_OF = "made-of.json"  # beside a network: what it was taught with


@dataclass(frozen=True)
class Supervision:
    """How the comparator of Table 2 is trained, for each M.

    network: see `scp.SupervisedDetector`. steps: None: the network's own number.
    """

    network: str = "scn-reduced"
    steps: int | None = None

    @property
    def name(self) -> str:
        """In tables: anything but the published network and its steps is called reduced."""
        published = self.network == "scn" and self.steps in (None, 30_000)
        number = SupervisedDetector(network=self.network).training_options.steps
        words = f"{self.network}, labels alone, {self.steps or number:,} steps"
        return words if published else f"{words} (reduced)"


def supervised_landmarks(
    study: Study, selected, how: Supervision, callback: Callable[[dict], object] | None
) -> np.ndarray:
    """Landmarks of the test images from a network taught by these images alone, [N][L][2]. What was
    trained before is used again; what was stopped goes on."""
    labelled, m = study.data.train.subset(selected), len(selected)
    folder = RunFolder(study.folder / f"supervised-{how.network}-{m}")
    key = {
        "images": of_dataset(labelled),
        "chosen": study.names(selected),
        "seed": study.options.random_state,
        "supervision": asdict(how),
    }
    try:
        same = read_json(folder / MADE_OF) == key
    except (FileNotFoundError, ValueError):
        same = False
    if same and (folder / SUPERVISED).is_file():
        detector = SupervisedDetector.load(folder.path)
    else:
        if not same:
            folder.write_json(MADE_OF, key)
        detector = SupervisedDetector(network=how.network, random_state=study.options.random_state)
        detector.fit(
            labelled,
            steps=how.steps,
            run=folder.path,
            resume=same,
            progress=study.progress,
            callback=callback and (lambda event: callback({**event, "m": m})),
        )
    bar = renamed(study.progress, f"{how.network}, M = {m}")
    return detector.predict(study.data.test, progress=bar).xy
