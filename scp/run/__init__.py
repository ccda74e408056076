"""All stages in a run folder: `Run`, and `choose`, which runs those of a choice at once."""

from .choose import choose
from .reporting import STAGES
from .stages import SCORES, Run

__all__ = ["SCORES", "STAGES", "Run", "choose"]
