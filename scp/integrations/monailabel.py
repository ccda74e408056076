"""MONAI Label asks for the images of a choice, one after the other."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..landmarks.names import Index
from ..runs import read_json
from ..runs.folder import SELECTION
from ..selection import chosen_ids

logger = logging.getLogger(__name__)


def strategy(
    run: str | os.PathLike[str], fallback: Callable[[dict, Any], dict | None] | None = None
) -> Any:
    """A `Strategy` of MONAI Label that gives the chosen images of a run folder, in pick order.

        def init_strategies(self):
            return {"scp": strategy("runs/mine")}  # from scp.integrations

    Each call gives the first chosen image without a final label, as {"id", "pick", "gain"}; the
    datastore's names may lack the suffixes of files. The run folder is read in every call, so a
    later choice counts at once.

    Args:
        run: the run folder, or a `Run`.
        fallback: another strategy, which is asked when all chosen images are labelled. None: the
            answer is None then, which MONAI Label shows as no image; the log says why.

    Raises:
        ImportError: MONAI Label is not installed. ValueError: nothing was chosen in the run folder.
    """
    from monailabel.interfaces.tasks.strategy import Strategy

    path = Path(run) / SELECTION
    if not path.is_file():
        raise ValueError(f"there is no {path}; scp select chooses images first")
    chosen_ids(path)  # says what is wrong with it now

    class SampleChoosing(Strategy):  # a class of MONAI Label, which may not be installed
        def __init__(self) -> None:
            super().__init__(f"Images that scp chose, in pick order ({path.parent})")

        def __call__(self, request: dict, datastore: Any) -> dict | None:
            waiting = datastore.get_unlabeled_images(
                request.get("label_tag"), request.get("labels")
            )
            found = next_chosen(path, list(waiting))
            if found is not None:
                return found
            absent = _absent(path, datastore.list_images())
            if absent:
                logger.warning("scp: %d chosen images are not here: %s", len(absent), absent[:5])
            logger.info("scp: all chosen images of %s are labelled", path.parent)
            return None if fallback is None else fallback(request, datastore)

    return SampleChoosing()


def next_chosen(path: Path, waiting: list[str]) -> dict[str, Any] | None:
    """The first image of a selection.json that is among these ids; None: none is."""
    chosen, there = chosen_ids(path), Index(waiting)
    gains = [entry.get("gain") for entry in read_json(path)["selected"]]
    for pick, (name, gain) in enumerate(zip(chosen, gains, strict=True), 1):
        row = there.place(name)
        if row >= 0:
            return {"id": waiting[row], "pick": pick, "gain": gain}
    return None


def _absent(path: Path, ids: list[str]) -> list[str]:
    there = Index(ids)
    return [name for name in chosen_ids(path) if there.place(name) < 0]
