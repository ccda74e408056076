"""Millimetres per pixel in DICOM (PS3.3, 10.7): which of the tags is right for a projection."""

from __future__ import annotations

from typing import Any

import numpy as np

TAGS = (
    "Modality",
    "PixelSpacing",
    "PixelSpacingCalibrationType",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelAspectRatio",
)
_SLICES = ("CT", "MR", "PT", "NM")  # in these PixelSpacing is that of the patient
_CALIBRATED = ("GEOMETRY", "FIDUCIAL")
DETECTOR = "ImagerPixelSpacing: at the detector, not corrected for magnification"
UNCALIBRATED = "PixelSpacing, uncalibrated"


def spacing_in(tags: Any) -> tuple[tuple[float, float] | None, str, str]:
    """(sy, sx) of a pydicom data set or None, where it is from, and a caution or nothing.

    PixelSpacing (in the patient), else ImagerPixelSpacing (at the detector, larger than in the
    patient), else NominalScannedPixelSpacing (of film). A tag that is no two positive numbers ends
    the search: another would be a guess.
    """
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if name not in tags or tags[name].is_empty:
            continue
        pair = _pair(tags, name)
        if pair is None:
            return None, f"none: {name} is not two positive numbers", ""
        if name == "PixelSpacing":
            said = _calibration(tags, pair)
            caution = said if said.startswith(UNCALIBRATED) else ""
            return pair, said, caution
        if name == "ImagerPixelSpacing":
            return pair, DETECTOR, DETECTOR
        return pair, f"{name}, of the film", ""
    ratio = _pair(tags, "PixelAspectRatio")
    if ratio is not None and ratio[0] != ratio[1]:
        said = f"none, and pixels are not square (PixelAspectRatio {ratio[0]:g}:{ratio[1]:g})"
        return None, said, f"spacing {said}: lengths in pixels and angles are wrong"
    return None, "none", ""


def _calibration(tags: Any, pair: tuple[float, float]) -> str:
    """Where PixelSpacing is from: "uncalibrated" where nothing tells that it is that of the
    patient."""
    if str(tags.get("Modality") or "").strip() in _SLICES:
        return "PixelSpacing"
    if pair == _pair(tags, "ImagerPixelSpacing"):
        return f"{UNCALIBRATED}: as ImagerPixelSpacing, at the detector"
    kind = str(tags.get("PixelSpacingCalibrationType") or "").strip()
    if kind in _CALIBRATED:
        return f"PixelSpacing, calibrated ({kind})"
    return f"{UNCALIBRATED}: the file says no calibration"


def _pair(tags: Any, name: str) -> tuple[float, float] | None:
    """Two positive numbers, or None."""
    try:
        first, second = (float(v) for v in tags.get(name))
    except Exception:  # pydicom converts it here, and raises what it likes
        return None
    return (first, second) if 0 < first < np.inf and 0 < second < np.inf else None
