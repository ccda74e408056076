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
# # Table 5: searches and key points
#
# You get the score and the error by the number of random searches, beside the exact search, and
# by the number of key points. The paper's numbers stand beside.
#
# The paper takes 100,000 random searches and 100 key points, with which its error is the
# smallest. scp does not search at random: it exchanges images, and an exact search proves the
# result.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
searches = (100, 1000) if FAST else (1_000, 10_000, 50_000, 100_000)
experiments.table5(study, m=3 if FAST else 5, searches=searches, seeds=2 if FAST else 10)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real table. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce table5 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on cephalograms](../docs/lab/paper.md#table-5-searches-and-key-points-m--5)
# - [The searches](../docs/explanation/selection.md)
# - [Key points](../docs/explanation/keypoints.md)
# - [Table 6: active learning](paper_table6.ipynb)
