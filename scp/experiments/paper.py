"""The numbers of the paper, as data; on cephalograms where nothing else is said.

Quan, Yao, Li, Zhou, "Which images to label for few-shot medical landmark detection?", CVPR 2022.
Errors are mean radial errors in mm. The paper calls its images "testsets"; the code that the
authors released measures Table 1 and Figures 1, 5 and 6 on the 150 training images, templates
included, on whole pixels of a grid of 384 x 384.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SetRow:
    """A row of Table 1: templates chosen by SCP ("ours") beside 1,000 random sets of M.

    similarity, mre: of the chosen set. The others are of the random sets: mean and deviation,
    smallest and largest error.
    """

    similarity: float
    random_similarity: tuple[float, float]
    mre: float
    random_mre: tuple[float, float]
    best: float
    worst: float

    @property
    def gain(self) -> float:
        """Percent by which SCP's choice is below the random mean."""
        return 100 * (1 - self.mre / self.random_mre[0])


# Table 1, cephalometric part; M: row.
TABLE1 = {
    1: SetRow(0.554, (0.519, 0.017), 3.083, (3.595, 0.381), 2.863, 4.952),
    2: SetRow(0.638, (0.604, 0.012), 2.840, (3.177, 0.227), 2.661, 4.090),
    3: SetRow(0.676, (0.646, 0.009), 2.742, (3.019, 0.187), 2.573, 3.875),
    4: SetRow(0.699, (0.672, 0.008), 2.677, (2.912, 0.164), 2.512, 3.674),
    5: SetRow(0.709, (0.690, 0.007), 2.571, (2.850, 0.141), 2.486, 3.458),
}

# Table 1, the part of the hand radiographs. (Abstract and text have 2.653 mm at M = 1.)
TABLE1_HAND = {
    1: SetRow(0.363, (0.288, 0.052), 2.635, (4.114, 3.566), 2.468, 43.81),
    5: SetRow(0.532, (0.482, 0.021), 2.891, (3.188, 0.493), 2.377, 6.268),
    10: SetRow(0.601, (0.547, 0.013), 2.769, (3.070, 0.346), 2.289, 4.808),
    15: SetRow(0.615, (0.581, 0.011), 2.664, (2.989, 0.311), 2.259, 4.245),
    50: SetRow(0.690, (0.673, 0.006), 2.524, (2.740, 0.219), 2.240, 3.775),
}

# Table 2: M: (MRE, detection rates below RADII in percent), refined, templates chosen by SCP.
TABLE2 = {
    25: (2.06, (58.00, 68.52, 79.13, 90.40)),
    10: (2.24, (55.41, 64.67, 75.26, 87.38)),
    5: (2.33, (52.25, 63.05, 73.95, 86.27)),
    1: (2.74, (43.79, 53.05, 64.12, 79.05)),
}
# The same refinement without SCP (Yao et al., in Table 2).
TABLE2_WITHOUT = {25: 2.17, 10: 2.30, 5: 2.44, 1: 2.90}

# Table 4: MRE for M = 1 .. 5, by how the features were learned ("Ours", "BYOL-m", "BYOL" there) ...
TABLE4_OBJECTIVES = {
    "infonce-levels": (3.083, 2.846, 2.743, 2.673, 2.571),
    "byol-levels": (3.366, 3.086, 3.008, 2.894, 2.762),
    "byol": (3.362, 3.085, 2.877, 2.761, 2.739),
}
# ... and by the kind of key points.
TABLE4_KEYPOINTS = {
    "sift": (3.080, 2.846, 2.743, 2.673, 2.571),
    "surf": (3.208, 2.901, 2.787, 2.621, 2.571),
    "orb": (3.668, 3.296, 2.896, 2.621, 2.677),
    "random": (3.181, 3.219, 2.860, 2.887, 2.835),
}

# Table 5, M = 5: (similarity, MRE) by the number of random searches ...
TABLE5_SEARCHES = {
    1_000: (0.7080, 2.711),
    10_000: (0.7105, 2.703),
    50_000: (0.7108, 2.577),
    100_000: (0.7117, 2.571),
}
# ... and by the number of key points of an image.
TABLE5_KEYPOINTS = {
    50: (0.7128, 2.670),
    75: (0.7099, 2.623),
    100: (0.7117, 2.571),
    150: (0.7105, 2.599),
}
# Squared pixels between key points in the released code's runs; each seems to stand for the K of
# the same place in TABLE5_KEYPOINTS.
DISTANCES = {400: 50, 180: 75, 100: 100, 40: 150}

# Table 6, M = 5: (similarity, MRE), mean and deviation of each.
TABLE6 = {
    "vaal": ((0.691, 0.004), (2.851, 0.077)),
    "loss": ((0.695, 0.008), (2.766, 0.093)),
    "uncertainty": ((0.694, 0.005), (2.876, 0.074)),
    "entropy": ((0.692, 0.006), (2.847, 0.094)),
}

# Figure 1: histogram of the errors of the single templates. 16 bins of 0.1 mm; the first holds all
# below it too, the last all above it.
FIG1_EDGES = tuple(round(2.9 + 0.1 * k, 1) for k in range(17))

FIG5_PEARSON = 0.462  # of key-point score and landmark similarity over single templates
FIG6_PEARSON = -0.675  # of landmark similarity and MRE over single templates

# Table 3, M = 50: (mean, standard deviation of five trainings) of NME, FR@10 and AUC.
TABLE3 = {
    "full": {
        "original": ((9.131, 0.316), (27.506, 1.785), (0.278, 0.021)),
        "SCP": ((8.998, 0.129), (27.475, 0.840), (0.285, 0.002)),
    },
    "make-up": {
        "original": ((8.724, 0.054), (25.790, 1.689), (0.283, 0.003)),
        "SCP": ((8.578, 0.188), (25.790, 0.989), (0.284, 0.003)),
    },
}


@dataclass(frozen=True)
class Numbers:
    """What the paper says of one kind of images; a study puts it beside its own numbers.

    of: the images, in words; "": the paper has none such. The others as above: table1 by M; table2
    and table2_without by M; table4 by name; table5 by the number of searches, and of key
    points; table6 by name; fig1: the edges of its bins; fig5, fig6: Pearson's r.
    """

    of: str = ""
    table1: Mapping[int, SetRow] = field(default_factory=dict)
    table2: Mapping[int, tuple[float, tuple[float, ...]]] = field(default_factory=dict)
    table2_without: Mapping[int, float] = field(default_factory=dict)
    table4_objectives: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    table4_keypoints: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    table5_searches: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    table5_keypoints: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    table6: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = field(
        default_factory=dict
    )
    fig1: tuple[float, ...] = ()
    fig5: float | None = None
    fig6: float | None = None


CEPHALOGRAMS = Numbers(
    "cephalograms",
    TABLE1,
    TABLE2,
    TABLE2_WITHOUT,
    TABLE4_OBJECTIVES,
    TABLE4_KEYPOINTS,
    TABLE5_SEARCHES,
    TABLE5_KEYPOINTS,
    TABLE6,
    FIG1_EDGES,
    FIG5_PEARSON,
    FIG6_PEARSON,
)
HANDS = Numbers("hand radiographs", TABLE1_HAND)
NONE = Numbers()
