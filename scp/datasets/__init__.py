"""Images in: a folder, with a file of landmarks or COCO key points; the ISBI 2015 cephalograms, the
Digital Hand Atlas, the faces of WFLW; procedural phantoms, arrays.

All give a `Dataset`. Points are (x, y) in original pixels with pixel centres at integers; spacing
is (sy, sx) in millimetres.
"""

from .base import Dataset, arrays, to_grid, to_original
from .cephalometric import LANDMARKS as cephalometric_landmarks
from .cephalometric import cephalometric
from .coco import coco
from .duplicates import DuplicatePair, find_duplicates
from .folder import folder
from .hand import hand
from .phantom import phantom
from .pictures import pictures
from .polarity import find_inverted
from .reading import DatasetError
from .splits import validation_split
from .table import table
from .wflw import Faces, wflw

__all__ = [
    "Dataset",
    "DatasetError",
    "DuplicatePair",
    "Faces",
    "arrays",
    "cephalometric",
    "cephalometric_landmarks",
    "coco",
    "find_duplicates",
    "find_inverted",
    "folder",
    "hand",
    "phantom",
    "pictures",
    "table",
    "to_grid",
    "to_original",
    "validation_split",
    "wflw",
]
