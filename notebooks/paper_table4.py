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
# # Table 4: other objectives, other key points
#
# You get the error with features that learn by other objectives, and with other key points than
# those of SIFT. The paper's numbers stand beside.
#
# The paper shows that features that learn by InfoNCE choose better than those that learn by BYOL,
# and that SIFT's key points choose better than random ones.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import experiments

study = experiments.open_study(ROOT, fast=FAST, minutes=0)  # it trains features of its own
if FAST:
    trainings = experiments.Trainings(steps=2, seeds=1, size=(96, 96))
else:
    trainings = experiments.Trainings(minutes=10, seeds=2)
experiments.table4(study, (1, 3) if FAST else (1, 2, 3, 4, 5), trainings)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real table. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce table4 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [What is compared](../docs/how-to/reproduce.md#table-4-other-objectives-other-key-points)
# - [Other objectives](../docs/how-to/training.md#other-objectives)
# - [Table 5: searches and key points](paper_table5.ipynb)
