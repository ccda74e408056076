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
# # Table 6: active learning
#
# You get the error with images that four methods of active learning ask for, beside SCP's. The
# paper's numbers stand beside.
#
# The paper shows that these images are hardly better than random ones for landmarks: 2.77 mm to
# 2.88 mm with five images, and 2.57 mm with SCP's.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of the ISBI 2015 cephalograms; None: generated

# %%
from scp import baselines, experiments

study = experiments.open_study(ROOT, fast=FAST)
if FAST:
    trainings = experiments.ActiveTrainings(
        seeds=1,
        vaal={"size": 16, "passes": 1},
        instances={"size": 16, "passes": 2},
        sizes=baselines.ActiveNetworks((8, 8), 4, 16),
        views=2,
    )
else:
    trainings = experiments.ActiveTrainings()
experiments.table6(study, m=3 if FAST else 5, trainings=trainings)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real table. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce table6 --root CEPHALOGRAMS`.
#
# ## What to do next
#
# - [Active learning](../docs/how-to/active.md)
# - [SCP against ten other ways to choose](06_other_ways_to_choose.ipynb)
# - [Figure 1: the errors of all single templates](paper_fig1.ipynb)
