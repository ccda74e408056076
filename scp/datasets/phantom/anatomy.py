"""A head in profile: the shape of one procedural patient, in reference units.

The reference frame is 384 wide and 480 high, half a millimetre to the unit, the face to the right.
A shape is the mean, plus a few modes of growth that move neighbouring points together, plus small
independent differences. Curves pass through the landmarks, so the landmarks are where the drawn
structures are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..cephalometric import LANDMARKS
from .drawing import Draw

FRAME = (480, 384)

# Mean positions (x, y) of the landmarks, and of the other points that the drawing uses.
_MEAN = {
    "sella": (160, 207),
    "nasion": (275, 193),
    "orbitale": (252, 243),
    "porion": (119, 241),
    "subspinale": (274, 301),
    "supramentale": (269, 370),
    "pogonion": (269, 395),
    "menton": (256, 409),
    "gnathion": (265, 404),
    "gonion": (146, 346),
    "lower incisal incision": (281, 337),
    "upper incisal incision": (285, 340),
    "upper lip": (309, 322),
    "lower lip": (304, 361),
    "subnasale": (297, 298),
    "soft tissue pogonion": (286, 401),
    "posterior nasal spine": (193, 285),
    "anterior nasal spine": (280, 288),
    "articulare": (133, 265),
    "pronasale": (325, 277),
    "condyle": (141, 247),
    "coronoid": (183, 271),
    "basion": (134, 257),
    "glabella": (284, 170),
    "infradentale": (275, 354),
    "prosthion": (280, 318),
    "opisthocranion": (4, 158),
    "vertex": (150, 22),
    "hyoid": (178, 420),
}

# The fossa of the sella from its front wall to the dorsum, about the landmark.
_FOSSA = np.array(
    [(66, -15), (26, -11), (13, -10), (10, 0), (4, 8), (-4, 8), (-9, 1), (-9, -9)], np.float64
)

# Modes: how far (dx, dy) one deviation moves a point. A tuple of names shares a value.
_CHIN = ("pogonion", "menton", "gnathion", "soft tissue pogonion")
_LOWER = (*_CHIN, "supramentale", "lower lip", "infradentale", "lower incisal incision")
_UPPER = ("subspinale", "anterior nasal spine", "prosthion", "upper incisal incision", "subnasale")
_MODES = (
    # lower jaw forward or back
    {
        _CHIN: (9, 1),
        ("supramentale",): (7, 0.5),
        ("lower lip", "hyoid"): (5, 0),
        ("lower incisal incision", "infradentale"): (4, 0),
        ("gonion",): (2, 1),
    },
    # lower face height
    {
        _CHIN: (-3, 8),
        ("supramentale",): (-2, 6),
        ("lower lip",): (-1, 5),
        ("infradentale", "lower incisal incision"): (-1, 4),
        ("upper incisal incision",): (0, 3.5),
        ("upper lip", "prosthion"): (0, 2.5),
        ("hyoid",): (-1, 5),
        ("gonion",): (0, 2),
    },
    # upper jaw forward or back
    {_UPPER: (5, 0), ("upper lip", "pronasale"): (5, 0), ("posterior nasal spine",): (2, 0)},
    # upper face height
    {
        (*_UPPER, "upper lip", "pronasale"): (0, 4),
        _LOWER: (0, 4),
        ("posterior nasal spine",): (0, 3),
        ("orbitale",): (0, 2),
        ("gonion",): (0, 2),
    },
    # length of the anterior cranial base
    {
        ("nasion", "glabella"): (5, 0),
        ("orbitale",): (3, 0),
        (*_UPPER, "upper lip"): (3, 0),
        ("pronasale",): (4, 0),
    },
    # posterior cranial base and ramus
    {("articulare", "condyle", "basion", "porion"): (-3, 3), ("gonion", "coronoid"): (-2, 3)},
    # ramus height and angle of the jaw
    {("gonion",): (1, 9), ("hyoid",): (0, 2)},
    {("gonion",): (-7, 0), ("coronoid",): (-2, 0)},
    # nose
    {("pronasale",): (6, -2), ("subnasale",): (1.5, -0.5)},
    # lips
    {("upper lip", "lower lip"): (3.5, 0), ("soft tissue pogonion",): (2, 0)},
    # overjet and overbite
    {("upper incisal incision",): (3, 0), ("lower incisal incision",): (-2, 0)},
    {("upper incisal incision",): (0, 2.5), ("lower incisal incision",): (0, -2.5)},
    # skull length and height
    {("opisthocranion",): (-9, 3)},
    {("vertex",): (2, -9), ("opisthocranion",): (0, -3)},
)
_MODE_SPREAD = 1.2
_SPREAD = 1.5  # independent deviation of each point


@dataclass
class Anatomy:
    """Points by name, float64 [2]; and numbers that shape the parts without landmarks."""

    points: dict[str, np.ndarray]
    incline: tuple[float, float]  # of the upper and lower incisor, radians
    second: np.ndarray  # offset of the farther side of paired structures
    spine: np.ndarray  # float64 [7][3]: x, y and angle of the second to the eighth vertebra
    vault: float  # thickness of the skull
    fossa: np.ndarray  # float64 [8][2]: the outline of the sella, from the landmark
    fillings: np.ndarray  # brightness of five upper and five lower teeth, 0 = sound

    def __getitem__(self, name: str) -> np.ndarray:
        return self.points[name]

    def landmarks(self) -> np.ndarray:
        """float64 [19][2]."""
        return np.stack([self.points[name] for name in LANDMARKS])


def anatomy(draw: Draw) -> Anatomy:
    """One patient."""
    points = {name: np.array(xy, np.float64) for name, xy in _MEAN.items()}
    for mode in _MODES:
        amount = draw.normal(_MODE_SPREAD)
        for names, shift in mode.items():
            for name in names:
                points[name] += amount * np.array(shift)
    for point in points.values():
        point += _SPREAD * draw.normals(2)
    # The chin turns in one arc: its three landmarks keep their order along it.
    pogonion, menton = points["pogonion"], points["menton"]
    corner = np.array([pogonion[0], menton[1]])
    points["gnathion"] = 0.5 * (pogonion + menton) * 0.4 + corner * 0.6
    points["gnathion"] += draw.normals(2) * 0.5
    spine = np.empty((7, 3))
    x, y, angle = 112.0 + draw.normal(4), 303.0 + draw.normal(3), 0.10 + draw.normal(0.08)
    bend, step = draw.normal(0.05), 29.0 + draw.normal(1.2)
    for row in spine:
        row[:] = x, y, angle
        x, y = x - step * np.sin(angle), y + step * np.cos(angle)
        angle += bend + 0.02
    fillings = np.array([draw.uniform(0.3, 0.9) if draw.chance(0.25) else 0.0 for _ in range(10)])
    return Anatomy(
        points,
        (0.45 + draw.normal(0.09), 0.45 + draw.normal(0.09)),
        np.array([draw.normal(3.0), draw.normal(2.5)]),
        spine,
        5.0 + draw.uniform(-1.5, 3),
        _FOSSA * (1 + draw.normal(0.15), 1 + draw.normal(0.2)) + 0.8 * draw.normals(8, 2),
        fillings,
    )
