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
# # Bring your own images
#
# You learn what scp reads, and what it says about a folder with faults in it. Here it is a folder
# of generated radiographs with five faults. Put the path of your own folder into `IMAGES` to see
# what it says about your images.

# %%
FAST = True  # few images; False: more
IMAGES = None  # a folder of images; None: generated radiographs
M = 3  # how many images you are willing to annotate

# %% [markdown]
# ## A folder as it comes from a clinic
#
# PNG files, one image twice, one negative, one damaged file, one file of DICOM. Many formats are
# read ([which](../docs/reference/datasets.md#folder)), in folders at any depth.

# %%
from pathlib import Path

import cv2
import pydicom

import scp

if IMAGES is None:
    folder = Path("scp-own-images", "radiographs")
    folder.mkdir(parents=True, exist_ok=True)
    phantoms = scp.datasets.phantom(10 if FAST else 40, size=(240, 192))
    for i, name in enumerate(phantoms.ids):
        cv2.imwrite(str(folder / f"{name}.png"), phantoms.image(i))
    cv2.imwrite(str(folder / "once-more.png"), phantoms.image(0))
    others = scp.datasets.phantom(2, seed=1, size=(240, 192))
    cv2.imwrite(str(folder / "negative.png"), 255 - others.image(0))
    (folder / "damaged.png").write_bytes((folder / "001.png").read_bytes()[:2000])

    film = pydicom.examples.ct  # a file of another device, with new pixels
    film.set_pixel_data(255 - others.image(1), "MONOCHROME1", 8)
    film.RescaleIntercept, film.PixelSpacing = 0, [1.0, 1.0]
    film.save_as(folder / "film.dcm")
else:
    folder = Path(IMAGES)

# %% [markdown]
# ## What is read
#
# `on_error="skip"` leaves out damaged files and lists them. Without it, the first one is an
# error.

# %%
images = scp.datasets.folder(folder, on_error="skip")
images

# %%
images.skipped

# %% [markdown]
# ## What scp says about the images
#
# In a terminal: `scp info IMAGES`, and `scp select` says it too. An image that is there twice
# would cost two annotations. A negative looks like no other image, so that nothing is found on
# it. (`film.dcm` is stored as a negative as well, but its header says so, and it is turned.)

# %%
stages = scp.Run(images, features=scp.GradientExtractor(size=(128, 128) if FAST else (384, 384)))
stages.duplicate_pairs, stages.inverted

# %%
choice = stages.select(M)
for text in choice.warnings:
    print("-", text)

# %% [markdown]
# ## Leave out what does not belong
#
# Leave images out of the choice (`exclude`), or out of the pool (`subset`, or move the files).
# The second is better for a negative: it should not count among the images that are to be
# explained.

# %%
wrong = set(stages.inverted) | {b for _, b, _ in stages.duplicate_pairs}
images = images.subset([i for i, name in enumerate(images.ids) if name not in wrong])
scp.Run(images, features=stages.extractor).select(M)

# %% [markdown]
# ## How large a pixel is
#
# Errors and measures in mm need the spacing. It is taken from the files where they have one.
# `with_spacing` takes what you know: one number, one for rows and one for columns, or a table.

# %%
print(images.spacing_note())
images.with_spacing(1.0).spacing[:2]

# %% [markdown]
# ## Patients
#
# With several images of a patient, `scp.datasets.folder(folder, groups="patient")` takes the
# patients from DICOM headers, and `stages.select(5, groups=images.groups)` takes at most one
# image of each. No name or number of a patient leaves a file.
#
# ## What to do next
#
# - [How many images should I annotate?](03_how_many.ipynb)
# - [Your own images, step by step](../docs/how-to/own-images.md)
# - [All that is read, and how](../docs/reference/datasets.md)
# - [Features of your own](../docs/how-to/own-features.md)
