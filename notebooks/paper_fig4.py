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
# # Figure 4: examples
#
# You get pictures of landmarks in three test images: found from the worst template, from SCP's
# one, and from several of SCP's.
#
# The paper shows in such pictures how far the landmarks of a bad template lie from the true ones.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
experiments.fig4(study, m=3 if FAST else 5)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real figure. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce fig4 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on cephalograms](../docs/lab/paper.md#figure-4-examples)
# - [Figure 5: key-point score and landmark similarity](paper_fig5.ipynb)
