"""Which images to annotate: facility location, solved and certified (the paper, Eq. 9)."""

from .answer import Selection, verify
from .certificate import Certificate
from .choice import (
    Choice,
    asked_for,
    chosen_ids,
    describe,
    image_warnings,
    row_numbers,
    warnings_of,
)
from .estimator import TemplateSelector
from .problem import Problem
from .solve import METHODS, more_sizes, select

__all__ = [
    "METHODS",
    "Certificate",
    "Choice",
    "Problem",
    "Selection",
    "TemplateSelector",
    "asked_for",
    "chosen_ids",
    "describe",
    "image_warnings",
    "more_sizes",
    "row_numbers",
    "select",
    "verify",
    "warnings_of",
]
