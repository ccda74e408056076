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
# # Figure 6: error and similarity
#
# You get a point for each image: how similar its landmarks are to those of all others, and the
# error with it as the only template.
#
# The paper shows that the error goes down where the similarity goes up: Pearson's r is -0.68.
# What SCP knows is the similarity of key points; it is drawn beside.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
experiments.fig6(study)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real figure. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce fig6 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on cephalograms](../docs/lab/paper.md#figure-6-error-against-similarity)
# - [SCP against ten other ways to choose](06_other_ways_to_choose.ipynb)
# - [The paper in the code](../docs/explanation/paper.md)
