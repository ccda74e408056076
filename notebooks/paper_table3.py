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
# # Table 3: faces
#
# You get the error of face landmarks that a network learns from few labelled faces: those that
# SCP chooses, the first ones, and random ones. The paper's numbers stand beside.
#
# The paper shows that 3FabRec, taught by 50 faces of SCP, errs by 9.00 % of the distance of the
# eyes. With the first 50 faces it is 9.13 %.

# %%
FAST = True  # False: features learn for an hour first
ROOT = None  # the folder of WFLW; None: generated radiographs, no faces

# %%
from scp import experiments

data = experiments.load_faces(ROOT)
if FAST:
    asked = experiments.Asked(faces=3, points=6)
    how = experiments.FaceTrainings(
        steps=2, m=2, seeds=2, head_steps=2, batch=2, width=2, asked=asked
    )
else:
    how = experiments.FaceTrainings()
experiments.table3(data, "scp-faces-fast" if FAST else "scp-faces", how)

# %% [markdown]
# The numbers of generated radiographs mean nothing beside the paper's: they show that all of it
# runs. Set `ROOT` and `FAST = False` for the real table. What one notebook trains in its run
# folder, the others use. In a terminal: `scp reproduce table3 --root FACES`.
#
# ## What to do next
#
# - [What is trained, and how](../docs/how-to/reproduce.md#table-3-faces)
# - [3FabRec](../docs/how-to/faces.md)
# - [Table 4: other objectives, other key points](paper_table4.ipynb)
