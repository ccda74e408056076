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
# # Start here
#
# You get a short list of images to annotate, their pictures, and a proof of how good the list is.
# The images here are generated radiographs, so that the notebook runs anywhere. Put the path of
# your own folder into `IMAGES` to use your images.

# %%
FAST = True  # False: more images, features learn for ten minutes
IMAGES = None  # a folder of images; None: generated radiographs
M = 3  # how many images you are willing to annotate

# %%
from pathlib import Path

import scp

name = "phantoms" if IMAGES is None else Path(IMAGES).resolve().name
run = Path("scp-start-fast" if FAST else "scp-start", name)  # stopped? run it again
if IMAGES is None:
    images = scp.datasets.phantom(12 if FAST else 60, size=(240, 192))
else:
    images = scp.datasets.folder(IMAGES, on_error="skip")
images

# %% [markdown]
# ## Learn what the images look like
#
# Places of images are compared by features. The best ones are learned from the images alone: a
# network learns to find each place of one view of an image in another view. No labels are used.
# In a terminal: `scp train IMAGES`. Ten minutes on a laptop are enough for a few hundred images.
# The fast mode takes the gradients of the images instead: no training, and larger errors.

# %%
if FAST:
    extractor = scp.GradientExtractor(size=(128, 128))
else:
    extractor = scp.FeatureExtractor(preset="laptop").fit(images, minutes=10, run=run)

# %% [markdown]
# ## Choose
#
# In a terminal: `scp select IMAGES -m 3`. The score says how well the chosen images explain the
# key points of all images: 1 would be perfect. No other choice of as many images has a score
# above the bound.

# %%
stages = scp.Run(images, run, features=extractor)
choice = stages.select(M)
choice

# %% [markdown]
# ## Look
#
# The chosen images with their key points, which are the places that were compared:

# %%
from scp.report.plots import chosen_images, coverage_map

chosen_images(images, choice.points, choice.offsets, choice.selection)

# %% [markdown]
# All images, similar ones close together. The colour is that of the chosen image that represents
# an image:

# %%
coverage_map(choice.values, choice.offsets, choice.selection, images)

# %% [markdown]
# ## Start from what you have
#
# Images that are annotated already cost nothing: `initial` counts them in, and the choice
# completes them. `exclude` leaves out what you cannot annotate.

# %%
stages.select(M, initial=images.ids[:2], exclude=[images.ids[2]])

# %% [markdown]
# ## The report
#
# All of this is in one file, `report.html`. Open it in a browser; it needs no network.

# %%
choice = stages.select(M)
stages.report()

# %% [markdown]
# ## What to do next
#
# - [Bring your own images](02_your_own_images.ipynb): folders, DICOM, negatives, duplicates
# - [How many images should I annotate?](03_how_many.ipynb)
# - [Is my choice good?](04_is_my_choice_good.ipynb)
# - [Find the landmarks on all other images](05_find_landmarks.ipynb)
# - [What the report shows](../docs/how-to/report.md)
