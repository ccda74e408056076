"""Signatures of the C core; csrc/include/scp says what the functions mean."""

import numpy as np
from numpy.typing import NDArray

# surf.c
def surf(
    image: NDArray[np.uint8], threshold: float, octaves: int, octave_layers: int
) -> NDArray[np.float64]: ...
