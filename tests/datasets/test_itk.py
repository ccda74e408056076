"""NIfTI, MetaImage and NRRD files of one slice, as SimpleITK writes and reads them."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

from scp import datasets
from scp.datasets import DatasetError, reading

sitk = pytest.importorskip("SimpleITK", reason="needs SimpleITK, which is large")

GREY = (np.arange(40 * 30).reshape(40, 30) * 3).astype(np.uint16)
KINDS = ("nii", "nii.gz", "mha", "mhd", "nrrd", "nhdr")


def write(path, image=GREY, spacing=(0.1, 0.2), **options):
    """spacing: (sx, sy, ..)."""
    out = sitk.GetImageFromArray(image, **options)
    out.SetSpacing([*spacing, 3.0][: out.GetDimension()])
    sitk.WriteImage(out, str(path))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image", [GREY, GREY[None], (GREY // 16).astype(np.uint8)])
def test_slices(tmp_path, kind, image):
    path = write(tmp_path / f"a.{kind}", image)
    header = reading.inspect(path)
    assert header.shape == GREY.shape
    np.testing.assert_allclose(header.spacing, (0.2, 0.1), rtol=1e-6)
    np.testing.assert_array_equal(reading.read_grey(path), image.reshape(GREY.shape))
    data = datasets.folder(tmp_path)
    assert data.ids == [f"a.{kind}"]
    assert data.spacing_note() == f"{header.format} header (1 image)"


@pytest.mark.parametrize("kind", KINDS)
def test_volumes_are_refused(tmp_path, kind):
    path = write(tmp_path / f"a.{kind}", np.stack([GREY] * 7))
    with pytest.raises(DatasetError, match=f"a.{kind}: a volume of 7 slices"):
        reading.inspect(path)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_need_a_scale(tmp_path, kind):
    write(tmp_path / f"a.{kind}", GREY.astype(np.int16) - 1000)
    with pytest.raises(DatasetError, match="--scale LOW,HIGH"):
        datasets.folder(tmp_path)
    data = datasets.folder(tmp_path, scale=(-1000, 2597))
    np.testing.assert_array_equal(data.image(0), np.rint(GREY / 3597 * 65535))


def test_colour(tmp_path):
    colour = np.stack([GREY // 16] * 3, axis=2).astype(np.uint8)
    path = write(tmp_path / "a.mha", colour, isVector=True)
    np.testing.assert_array_equal(reading.read_grey(path), GREY // 16)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path, kind):
    path = write(tmp_path / f"a.{kind}")
    data = path.read_bytes()
    path.write_bytes(data[:20])
    with pytest.raises(DatasetError, match=f"a.{kind}: "):
        reading.inspect(path)
    path.write_bytes(data[:-7])
    try:
        reading.inspect(path)
        reading.read_grey(path)
    except DatasetError as error:
        assert str(path) in str(error)
    else:
        assert kind in ("mhd", "nhdr")  # their pixels lie beside them


@pytest.mark.parametrize("kind, key", [("mhd", "ElementDataFile = "), ("nhdr", "data file: ")])
@pytest.mark.parametrize("where", ["../secret.raw", "{outside}/secret.raw", "link.raw", "LIST"])
def test_data_elsewhere_are_not_read(tmp_path, kind, key, where):
    outside, folder = tmp_path / "outside", tmp_path / "images"
    outside.mkdir(), folder.mkdir()
    (outside / "secret.raw").write_bytes(GREY.tobytes())
    (tmp_path / "secret.raw").write_bytes(GREY.tobytes())
    path = write(folder / f"a.{kind}")
    os.symlink(outside / "secret.raw", folder / "link.raw")
    text = path.read_text("latin-1")
    own = next(line for line in text.splitlines() if line.startswith(key))
    path.write_text(text.replace(own, key + where.format(outside=outside)), "latin-1")
    with pytest.raises(DatasetError, match=r"outside its folder|several files"):
        reading.inspect(path)


def test_impossible_nifti_headers(tmp_path):
    good = write(tmp_path / "a.nii").read_bytes()
    for at, value in (
        (42, b"\xff\xff"),
        (40, b"\x09\x00"),
        (108, b"\0\0\x80\x7f"),
        (42, b"\xff\x7f"),
    ):
        bad = good[:at] + value + good[at + len(value) :]
        (tmp_path / "a.nii").write_bytes(bad)
        with pytest.raises(DatasetError, match=r"a\.nii: the NIfTI (file is|header says)"):
            reading.inspect(tmp_path / "a.nii")
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(good)[:60])
    with pytest.raises(DatasetError, match=r"b\.nii\.gz: the NIfTI file is damaged"):
        reading.inspect(tmp_path / "b.nii.gz")


def test_without_a_spacing(tmp_path):
    path = write(tmp_path / "a.mha")
    lines = path.read_bytes().split(b"\n", 12)
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(b"ElementSp")))
    header = reading.inspect(path)
    assert header.spacing is None and header.origin == "none: the MetaImage header says none"


def test_slope_and_intercept(tmp_path):
    path = write(tmp_path / "a.nii")
    data = path.read_bytes()
    path.write_bytes(data[:112] + np.array([0.5, -20], "<f4").tobytes() + data[120:])
    np.testing.assert_allclose(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), GREY / 2 - 20)
    out = datasets.folder(tmp_path, scale=(-20, 1780)).image(0)
    np.testing.assert_allclose(out, np.rint(GREY / 3600 * 65535))


@pytest.mark.parametrize("kind", ["mha", "mhd", "nrrd", "nhdr"])
def test_compressed(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    sitk.WriteImage(sitk.GetImageFromArray(GREY), str(path), True)
    np.testing.assert_array_equal(reading.read_grey(path), GREY)
    data = next(p for p in sorted(tmp_path.iterdir(), key=lambda p: -p.stat().st_size))
    data.write_bytes(data.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=f"a.{kind}: .*compressed pixels"):
        reading.read_grey(path)
