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
# # Table 1: chosen by SCP, or at random
#
# You get the error of landmarks that are found from M annotated images: chosen by SCP, and 1,000
# times at random. The paper's numbers stand beside.
#
# The paper shows that SCP's images give smaller errors than random ones: with one image 3.08 mm
# against 3.60 mm, with five 2.57 mm against 2.85 mm.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
experiments.table1(study, (1, 3) if FAST else (1, 2, 3, 4, 5))

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real table. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce table1 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on cephalograms](../docs/lab/paper.md#table-1-chosen-by-scp-or-at-random)
# - [How errors are measured](../docs/how-to/reproduce.md#how-errors-are-measured)
# - [Figure 1: the errors of all single templates](paper_fig1.ipynb)
