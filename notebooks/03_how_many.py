# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How many images should I annotate?
#
# You get the curve of what each further image brings, and its upper bound. The curve needs no
# labels.

# %%
FAST = True  # False: more images, features learn for ten minutes
IMAGES = None  # a folder of images; None: generated radiographs
MOST = 6  # the largest number of images you are willing to annotate

# %%
from pathlib import Path

import scp

name = "phantoms" if IMAGES is None else Path(IMAGES).resolve().name
run = Path("scp-many-fast" if FAST else "scp-many", name)  # stopped? run it again
if IMAGES is None:
    images = scp.datasets.phantom(12 if FAST else 60, size=(240, 192))
else:
    images = scp.datasets.folder(IMAGES, on_error="skip")
if FAST:
    extractor = scp.GradientExtractor(size=(128, 128))
else:
    extractor = scp.FeatureExtractor(preset="laptop").fit(images, minutes=10, run=run)

# %% [markdown]
# ## The curve
#
# Several M in one call are one search for each. In a terminal: `scp select IMAGES -m 1-6`. The
# best possible score of each M lies between the two lines.

# %%
stages = scp.Run(images, run, features=extractor)
choice = stages.select(range(1, MOST + 1))
axes = choice.plot()

# %% [markdown]
# What the last image of each number brings. Where this is small, further annotations bring
# little. A gap of 0 means that the choice is the best there is.

# %%
before = 0.0
for s in choice.curve:
    print(f"M = {s.m}: score {s.score:.4f}, {s.score - before:+.4f}; {s.proof}")
    before = s.score

# %% [markdown]
# ## Which images the curve cannot help
#
# The score is a mean over all images. The images below are the least covered ones, at the largest
# M. Are they of another kind? Then take them out of the pool. Are they as common in your clinic
# as the others? Then annotate more.

# %%
import numpy as np

covered = np.add.reduceat(choice.selection.cover_value, choice.offsets[:-1]) / np.diff(
    choice.offsets
)
images.subset(np.argsort(covered)[:3])

# %% [markdown]
# ## What the error does
#
# The score is known before annotation, the error after it. Here the true landmarks of the
# generated radiographs stand for what you would mark. With so few images the error goes down, but
# not at each step.

# %%
if images.landmarks is not None:
    for s in (choice.curve[0], choice.curve[-1]):
        marked = images.subset(s.selected)
        found = scp.LandmarkDetector(extractor=extractor).fit(marked).predict(images)
        result = scp.evaluate(found, images, exclude=marked.ids)
        print(f"M = {s.m}: mean error {result.mre:.2f} {result.unit}")

# %% [markdown]
# ## In the report
#
# *What more images would bring* is this curve, and *A second round* names the images to annotate
# when these are done.

# %%
stages.report()

# %% [markdown]
# ## What to do next
#
# - [Is my choice good?](04_is_my_choice_good.ipynb)
# - [Find the landmarks on all other images](05_find_landmarks.ipynb)
# - [Costs, budgets, patients: what a choice may be made of](../docs/explanation/selection.md)
