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
# # Table 2: found, and refined
#
# You get the error of landmarks from M images that SCP chose, as they are found and after a
# network has learned from them. The paper's numbers stand beside.
#
# The paper shows that the network makes the error smaller, and that SCP's images help it: with
# five images 2.33 mm, without SCP 2.44 mm.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST)
refinement = experiments.Refinement(steps=3) if FAST else experiments.Refinement(minutes=10)
experiments.table2(study, (1, 3) if FAST else (1, 5, 10, 25), refinement)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real table. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce table2 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [The result on cephalograms](../docs/lab/paper.md#table-2-matching-and-refinement)
# - [Refinement](../docs/how-to/refinement.md)
# - [Table 3: faces](paper_table3.ipynb)
