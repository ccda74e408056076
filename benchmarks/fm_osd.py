"""The protocol of FM-OSD (MICCAI 2024), so that numbers stand on one footing:

    python benchmarks/accuracy.py ROOT --protocol fm-osd --model RUN
    python benchmarks/accuracy.py ROOT --protocol fm-osd --model RUN --refine 1500

Image 125 is the one template. All test images at hand are measured, those that repeat others
included. The truth is the mean of both readers, cut to whole pixels, at full resolution. What is
trained learns from the training images, without a label but those of the template, and its last
iterate counts.
"""

import numpy as np
from accuracy import detection_rates, training_images

import scp
from scp.evaluation.metrics import radial_errors

TEMPLATE = "125"
PUBLISHED = "FM-OSD: 1.819 mm, SDR 67.4 78.0 84.7 91.9"


def measure(options, extractor) -> dict:
    """Errors of matching and, with --refine, of the refined network; prints a line each."""
    pool = training_images(options.data, options.cache)
    everything = scp.datasets.cephalometric(options.data, split="all")
    test = everything.subset([i for i, name in enumerate(everything.ids) if name not in pool.ids])
    print(f"{len(test)} test images, {test.ids[0]} to {test.ids[-1]}; {PUBLISHED}", flush=True)
    rows = pool.rows([TEMPLATE])
    detector = scp.LandmarkDetector(extractor, every=True)
    found = detector.fit_predict(pool, rows, progress=False)
    out = {"matched": said("matched", detector.predict(test, progress=False), test)}
    if options.refine:
        refiner = scp.LandmarkRefiner(start=extractor)
        refiner.fit(pool, found, templates=rows, steps=options.refine, progress=False)
        out["refined"] = said("refined", refiner.predict(test, progress=False), test)
    return out


def said(name: str, found, test) -> dict:
    errors = radial_errors(found.xy, np.floor(test.landmarks), test.spacing)
    rates = detection_rates(errors)
    print(f"{name}: MRE {errors.mean():.3f} mm, SDR {' '.join(f'{v:.1f}' for v in rates.values())}")
    return {"mre": float(errors.mean()), "sdr": rates}
