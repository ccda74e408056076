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
# # SCP against ten other ways to choose
#
# You see which images other ways take, and how much better or worse the landmarks become. The
# images here are generated radiographs, whose landmarks are known, so that every choice can be
# judged by the error that it leads to. [The same on cephalograms, chest radiographs and
# faces](../docs/lab/baselines.md).

# %%
FAST = True  # few and small images; False takes some minutes
M = 3  # how many images to annotate

# %%
import scp
from scp import baselines, experiments

data = experiments.load("phantom", images=8 if FAST else 60)  # as many to judge by
images = data.train
extractor = scp.GradientExtractor(size=(96, 96) if FAST else (192, 192))
images

# %% [markdown]
# ## A vector for each image
#
# Ways to choose that know nothing of key points see an image as one vector. `levels` is the mean
# of the features, `keypoints` the mean over the key points, `pixels` a thumbnail. `vgg`, of a
# network that ImageNet has trained, needs its weights (`scp weights import FILE`). A file of your
# own vectors does as well.

# %%
vectors = {
    kind: baselines.vectors(images, kind, extractor) for kind in ("levels", "pixels", "patterns")
}
{kind: x.shape for kind, x in vectors.items()}

# %% [markdown]
# ## What each takes
#
# In a terminal: `scp select IMAGES -m 3 --method kmeans --vectors levels`. SCP's score says how
# well the choice explains the key points of all images, and its bound how much better any choice
# could be.

# %%
stages = scp.Run(images, features=extractor)
choice = stages.select(M)
print(f"{'SCP':10s} {choice.selection.score:.4f}  {', '.join(choice.ids)}")
for method in baselines.METHODS:
    x = vectors[{"pixels": "pixels", "freesel": "patterns"}.get(method, "levels")]
    other = baselines.choose(x, M, method, values=choice.values)
    print(f"{method:10s} {other.score:.4f}  {', '.join(images.ids[i] for i in other.selected)}")
print(f"no choice can exceed {choice.selection.upper_bound:.4f}")

# %% [markdown]
# ## What the landmarks say
#
# The images that were chosen are taken as annotated, their landmarks are found in other images,
# and the error is measured. Ways that draw are tried with several seeds. "Better" is the share of
# random sets with a smaller error: 50 is chance.

# %%
run = "scp-others-fast" if FAST else "scp-others"  # stopped? run it again
options = experiments.Options(evaluation="honest", draws=20 if FAST else 1000)
study = experiments.Study(data, extractor, run, options)
sizes, seeds = ((1, 3), 2) if FAST else ((1, 2, 5, 10, 25), 10)
kinds = ("levels", "pixels") if FAST else None
result = experiments.others(study, sizes, seeds, kinds)
result

# %% [markdown]
# The figure shows the error against M; the band are random sets. The last table asks whether what
# a way makes large goes with the error. Each way makes a number large: SCP its score, k-means the
# closeness to the nearest chosen image, core-set the smallest ball. Over random sets, -1 would
# mean that this number orders them as the error does, 0 that it says nothing. The last line is a
# yardstick that needs the true landmarks.
#
# ## What to do next
#
# - [The ten rules, and when to take which](../docs/how-to/baselines.md)
# - [Active learning](../docs/how-to/active.md): networks that ask for images
# - [The paper, notebook by notebook](../docs/tutorials/paper.md)
