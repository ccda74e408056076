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
# # Figure 1: the errors of all single templates
#
# You get a histogram: the error with each image as the only template, and where SCP's image
# stands. The paper's numbers stand beside.
#
# The paper shows why the choice matters: the best single template gives 2.86 mm, the worst 4.95
# mm, SCP's 3.08 mm.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
experiments.fig1(study)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real figure. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce fig1 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on cephalograms](../docs/lab/paper.md#figure-1-errors-of-single-templates)
# - [How errors are measured](../docs/how-to/reproduce.md#how-errors-are-measured)
# - [Figure 4: examples](paper_fig4.ipynb)
