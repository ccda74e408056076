"""The paper's tables and figures, made again on the images at hand, with its numbers beside.

    study = scp.experiments.open_study(root, "runs/paper", fast=False)
    print(scp.experiments.table1(study).text())

With other images, features or options:

    data = scp.experiments.load("table", root)
    study = scp.experiments.Study(data, extractor, "runs/mine", scp.experiments.Options(draws=100))

`paper` holds the numbers of the paper; `Options` says how is chosen and measured.
"""

from .active import ActiveTrainings, table6
from .costs import Costs
from .data import Data, load
from .face_choice import Asked
from .faces import FaceData, load_faces
from .figures import fig1, fig4, fig5, fig6
from .objectives import Trainings, table4
from .opening import open_study
from .others import choices, other_ways, others
from .output import Result, Table
from .records import Record, record
from .refined import Refinement, table2
from .study import Case, Options, Study
from .supervised import Supervision
from .table3 import FaceTrainings, table3
from .tables import table1, table5
from .units import Unit

__all__ = [
    "ActiveTrainings",
    "Asked",
    "Case",
    "Costs",
    "Data",
    "FaceData",
    "FaceTrainings",
    "Options",
    "Record",
    "Refinement",
    "Result",
    "Study",
    "Supervision",
    "Table",
    "Trainings",
    "Unit",
    "choices",
    "fig1",
    "fig4",
    "fig5",
    "fig6",
    "load",
    "load_faces",
    "open_study",
    "other_ways",
    "others",
    "record",
    "table1",
    "table2",
    "table3",
    "table4",
    "table5",
    "table6",
]
