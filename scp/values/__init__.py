"""Values that cross the border: what callers give, taken exactly or refused; what they get, equal
by its content."""

from .checks import array, entries, real, whole, whole_numbers
from .results import Result, equal, finite

__all__ = ["Result", "array", "entries", "equal", "finite", "real", "whole", "whole_numbers"]
