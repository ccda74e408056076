"""Which images to annotate: facility location, solved and certified (the paper, Eq. 9)."""

from .answer import Selection
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
from .kept import write_selection
from .problem import Problem
from .sampled import SampledBound, draw_columns, sampled_bound
from .solve import METHODS, more_sizes, second_round, select
from .vectors import select_vectors
from .verdict import Verdict, verify, verify_run

__all__ = [
    "METHODS",
    "Certificate",
    "Choice",
    "Problem",
    "SampledBound",
    "Selection",
    "TemplateSelector",
    "Verdict",
    "asked_for",
    "chosen_ids",
    "describe",
    "draw_columns",
    "image_warnings",
    "more_sizes",
    "row_numbers",
    "sampled_bound",
    "second_round",
    "select",
    "select_vectors",
    "verify",
    "verify_run",
    "warnings_of",
    "write_selection",
]
