"""What a person wrote into selection.json or config.toml is not overwritten."""

from __future__ import annotations

from ..errors import warn
from ..landmarks import set_aside
from ..runs import RunFolder, is_sealed


def keep_edited(folder: RunFolder, *names: str) -> None:
    """Renames files that are not as scp wrote them to NAME.user.SUFFIX, with a warning: they are
    about to be written anew."""
    for name in names:
        path = folder / name
        if path.is_file() and not is_sealed(path):
            aside = set_aside(path)
            warn(
                f"{name} was changed by hand, damaged, or is of an earlier version: it is kept as "
                f"{aside}, and written anew"
            )
