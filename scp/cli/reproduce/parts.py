"""The parts of `scp reproduce`, in the order in which `all` makes them."""

from __future__ import annotations

from .figures import FIGURES
from .others import OTHERS
from .part import Part
from .table1 import TABLE1
from .table2 import TABLE2
from .table3 import TABLE3
from .table4 import TABLE4
from .table5 import TABLE5
from .table6 import TABLE6

PARTS: dict[str, Part] = {
    part.name: part for part in (TABLE1, TABLE2, TABLE3, TABLE4, TABLE5, TABLE6, *FIGURES, OTHERS)
}
ALL = tuple(part for part in PARTS.values() if not part.beside)
