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
# # Figure 5: key-point score and landmark similarity
#
# You get a point for each image: how well it explains the key points of all others, and how
# similar its landmarks are to theirs.
#
# The paper shows that the first, which needs no labels, goes with the second: Pearson's r is
# 0.46.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
experiments.fig5(study)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real figure. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce fig5 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on
#   cephalograms](../docs/lab/paper.md#figure-5-key-point-score-and-landmark-similarity)
# - [Figure 6: error and similarity](paper_fig6.ipynb)
