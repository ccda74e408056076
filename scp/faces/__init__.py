"""Faces: 3FabRec (Browatzki and Wallraven, CVPR 2020), which the paper's Table 3 is about.

Stage 1, an adversarial auto-encoder that learns faces without labels: `FaceAutoencoder`. Stage 2,
transfer layers in its generator that learn landmarks from few labels: `FaceDetector`. Colour,
unlike all else in scp.
"""

from .autoencoder import AUTOENCODER, FaceAutoencoder
from .detector import DETECTOR, FaceDetector
from .options import AutoencoderOptions, TransferOptions
from .swaps import EYES, swaps_of

__all__ = [
    "AUTOENCODER",
    "DETECTOR",
    "EYES",
    "AutoencoderOptions",
    "FaceAutoencoder",
    "FaceDetector",
    "TransferOptions",
    "swaps_of",
]
