"""Images in: a folder, the ISBI 2015 cephalograms, procedural phantoms, arrays.

All give a `Dataset`. Points are (x, y) in original pixels with pixel centres at integers; spacing
is (sy, sx) in millimetres.
"""

from .base import Dataset, arrays, to_grid, to_original
from .cephalometric import LANDMARKS as cephalometric_landmarks
from .cephalometric import cephalometric
from .duplicates import DuplicatePair, find_duplicates
from .folder import folder
from .phantom import phantom
from .reading import DatasetError
from .splits import validation_split

__all__ = [
    "Dataset",
    "DatasetError",
    "DuplicatePair",
    "arrays",
    "cephalometric",
    "cephalometric_landmarks",
    "find_duplicates",
    "folder",
    "phantom",
    "to_grid",
    "to_original",
    "validation_split",
]
