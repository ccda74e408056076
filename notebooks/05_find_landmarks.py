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
# # Find the landmarks on all other images, and correct them
#
# From a few annotated images you get landmarks on all images, how far to trust them, and the
# images to correct first. The images here are generated radiographs, so that the notebook runs
# anywhere. Put the path of your own folder into `IMAGES` to use your images.

# %%
FAST = True  # False: more images, half an hour
IMAGES = None  # a folder of images; None: generated radiographs
M = 3  # how many images are annotated
TRUTH = None  # a file of landmarks of further images, to measure with

# %%
from pathlib import Path

import scp
from scp.report.plots import found_landmarks

name = "phantoms" if IMAGES is None else Path(IMAGES).resolve().name
run = Path("scp-find-fast" if FAST else "scp-find", name)  # stopped? run it again
if IMAGES is None:
    images = scp.datasets.phantom(12 if FAST else 60, size=(240, 192))
else:
    images = scp.datasets.folder(IMAGES, on_error="skip")
if FAST:
    extractor = scp.GradientExtractor(size=(128, 128))
else:
    extractor = scp.FeatureExtractor(preset="laptop").fit(images, minutes=10, run=run)

# %% [markdown]
# ## Which images to annotate

# %%
stages = scp.Run(images, run, features=extractor)
choice = stages.select(M)
choice

# %% [markdown]
# ## Their landmarks, found on all others
#
# Now somebody marks the landmarks of these images, for example on the page that `scp annotate`
# writes. A phantom knows its own. **Your own images** have none yet: the cell below stops, and
# names a file `marks.csv`. Fill in x and y in it, in pixels, and run the cell again. What is
# found is in `landmarks.csv` beside it. In a terminal: `scp detect IMAGES`.

# %%
found = stages.detect()
found

# %% [markdown]
# Of the other images, the two that are most certain and the two that are least certain. Crosses:
# found; rings: true. The expected errors need no truth, so they say where to look first.

# %%
order = found.least_certain(len(found))
found_landmarks(images, found, [*order[:-3:-1], *order[1::-1]], truth=images.landmarks, columns=4)

# %% [markdown]
# ## How far they are off
#
# Where further images are annotated, with the interval over images. The images marked by hand do
# not count.

# %%
truth = scp.read_landmarks(TRUTH) if TRUTH else images if IMAGES is None else None
result = None if truth is None else scp.evaluate(found, truth)
print("no truth to measure with" if result is None else result)

# %%
axes = None if result is None else result.plot()

# %% [markdown]
# ## Correct the least certain
#
# The page `annotate.html` shows the images in which scp is least certain, with what was found.
# Move the wrong points, accept the right ones, and save. The file that it saves goes to `detect`
# together with the marks. In a terminal: `scp annotate IMAGES --least-certain 2`.

# %%
page = stages.annotate(least_certain=2)
page

# %% [markdown]
# Here the truth stands for the corrections. A corrected image becomes a template as well.

# %%
if truth is not None:
    corrected = [*stages.annotated().ids, *(images.ids[i] for i in found.least_certain(2))]
    again = stages.detect(scp.Landmarks.of(images).rows(corrected), write=False)
    print(scp.evaluate(again, truth, exclude=corrected))

# %% [markdown]
# ## Refine
#
# A network learns from the landmarks found, each weighted by its expected error, and from the
# images marked by hand. It pays off with trained features and many images. The few steps of the
# fast mode only show how it goes, and leave the landmarks far off. When the marks or `M` have
# changed since, write `resume=False` once: the training starts anew.

# %%
refiner = scp.LandmarkRefiner(size=extractor.grid_size, start=None if FAST else extractor)
length = {"steps": 5} if FAST else {"minutes": 10}
refiner.fit(images, found, templates=stages.annotated(), run=run, **length)
refined = refiner.predict(images).with_matches(found)
refined

# %%
if truth is not None and not FAST:
    print(scp.evaluate(refined, truth, exclude=stages.annotated().ids))

# %% [markdown]
# ## What to do next
#
# - [Mark and correct in the browser](../docs/how-to/annotate.md)
# - [Measure angles and distances](../docs/how-to/measure.md)
# - [How well it works on cephalograms](../docs/lab/accuracy.md)
