"""What a landmark of a face is called in a mirror."""

from __future__ import annotations

import numpy as np

# Pairs; landmarks that are in none stay what they are. Of 98 (WFLW) and of 68 (iBUG).
PAIRS = {
    98: (
        *((i, 32 - i) for i in range(16)),
        *((33, 46), (34, 45), (35, 44), (36, 43), (37, 42)),
        *((38, 50), (39, 49), (40, 48), (41, 47)),
        *((55, 59), (56, 58)),
        *((60, 72), (61, 71), (62, 70), (63, 69), (64, 68), (65, 75), (66, 74), (67, 73)),
        *((76, 82), (77, 81), (78, 80), (83, 87), (84, 86)),
        *((88, 92), (89, 91), (93, 95)),
        (96, 97),
    ),
    68: (
        *((i, 16 - i) for i in range(8)),
        *((i, 43 - i) for i in range(17, 22)),
        *((31, 35), (32, 34)),
        *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
        *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),
        *((60, 64), (61, 63), (65, 67)),
    ),
}
# The outer corners of the eyes: what errors are divided by.
EYES = {98: (60, 72), 68: (36, 45)}


def swaps_of(landmarks: int) -> np.ndarray | None:
    """uint32 [L]: landmark l of a mirrored face is landmark swaps[l] of the face; None where the
    number of landmarks is neither 98 nor 68."""
    if landmarks not in PAIRS:
        return None
    out = np.arange(landmarks, dtype=np.uint32)
    for a, b in PAIRS[landmarks]:
        out[a], out[b] = b, a
    return out
