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
# # Is my choice good?
#
# You get four answers: a proof, an independent check of the proof, a comparison with random
# choices, and one with a choice of your own.

# %%
FAST = True  # False: more images, features learn for ten minutes
IMAGES = None  # a folder of images; None: generated radiographs
M = 3  # how many images to annotate
MINE = None  # images that you would have taken; None: the first M

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import scp

name = "phantoms" if IMAGES is None else Path(IMAGES).resolve().name
run = Path("scp-good-fast" if FAST else "scp-good", name)  # stopped? run it again
if IMAGES is None:
    images = scp.datasets.phantom(12 if FAST else 60, size=(240, 192))
else:
    images = scp.datasets.folder(IMAGES, on_error="skip")
if FAST:
    extractor = scp.GradientExtractor(size=(128, 128))
else:
    extractor = scp.FeatureExtractor(preset="laptop").fit(images, minutes=10, run=run)
stages = scp.Run(images, run, features=extractor)

# %% [markdown]
# ## The proof
#
# No allowed choice of M images has a score above the bound. With `method="exact"` the search goes
# on until the bound is the score, or until `max_nodes`: then the choice is proved to be the best.
# That says nothing about the features, only that no better choice exists by them.

# %%
choice = stages.select(M, method="exact")
choice.selection

# %% [markdown]
# ## The check
#
# The run folder holds the proof. `scp.verify` computes score, bound and proof anew, with other
# code than the search. In a terminal: `scp verify RUN`.

# %%
print(scp.verify(run))

# %% [markdown]
# ## Against random choices
#
# The score of a set is a weighted mean: of each key point, the similarity to that image of the
# set in which it is found best. So other choices are measured in one line.

# %%
weights = scp.client_weights(choice.offsets)
draw = np.random.default_rng(0)
sets = [draw.choice(len(images), M, replace=False) for _ in range(1000)]
scores = np.array([choice.values[s].max(axis=0) @ weights for s in sets])
best = choice.selection.score
print(f"the choice {best:.4f}; of 1,000 random sets {(scores >= best - 1e-6).sum()} are as good")

figure, axes = plt.subplots(figsize=(6, 3))
axes.hist(scores, bins=30, color="silver", label="random sets")
axes.axvline(best, color="C0", label="the choice")
axes.axvline(choice.selection.upper_bound, color="C1", linestyle=":", label="bound")
axes.set(xlabel="score", ylabel="sets")
legend = axes.legend()

# %% [markdown]
# ## Against a choice of your own
#
# `include` fixes images. With all M of them fixed, the score is that of your choice.

# %%
mine = stages.select(M, include=MINE or images.ids[:M])
share = (scores < mine.selection.score).mean()
print(
    f"{', '.join(mine.ids)}: {mine.selection.score:.4f}, better than {share:.0%} of random choices"
)

# %% [markdown]
# Fix some of them only, and the rest is chosen to go with them:

# %%
stages.select(M, include=(MINE or images.ids[:M])[:1])

# %% [markdown]
# ## What to do next
#
# - [SCP against ten other ways to choose](06_other_ways_to_choose.ipynb), judged by the error of
#   the landmarks
# - [What the certificate says, and what not](../docs/explanation/certificate.md)
# - [Find the landmarks on all other images](05_find_landmarks.ipynb)
