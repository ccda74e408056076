"""Pools of DICOM files: where spacing comes from, names, patients, and what never leaves a file."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="needs pydicom")

import dicomfiles
from dicomfiles import SECRETS, data_of, picture

from scp import datasets
from scp.cli import main
from scp.datasets import DatasetError, phantom, reading
from scp.datasets.spacing import spacing_of
from scp.evaluation import evaluate
from scp.landmarks import Landmarks, write_landmarks
from scp.landmarks.formats import writable_names
from scp.run.measuring import spacing_in, spacing_note_in
from scp.run.spacing import keep_spacing, spacing_entry, with_kept_spacing
from scp.runs import RunFolder

GREY = (np.arange(40 * 30).reshape(40, 30) % 4096).astype(np.uint16)


def pool(folder: Path, *tags: dict, **options):
    """A folder of files with these tags."""
    for i, own in enumerate(tags):
        data = data_of(picture(GREY, i + 1, BitsStored=12, **own))
        (folder / f"{i}.dcm").write_bytes(data)
    return datasets.folder(folder, **options)


PATIENT, DETECTOR = {"PixelSpacing": [0.2, 0.1]}, {"ImagerPixelSpacing": [0.3, 0.15]}


@pytest.mark.parametrize(
    "tags, spacing, origin",
    [
        ({**PATIENT, "PixelSpacingCalibrationType": "GEOMETRY"}, (0.2, 0.1), "calibrated (GEOM"),
        ({**PATIENT, "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.2, 0.1), "calibrated (FIDU"),
        (PATIENT, (0.2, 0.1), "uncalibrated: the file says no calibration"),
        ({**PATIENT, **DETECTOR}, (0.2, 0.1), "uncalibrated: the file says no calibration"),
        (
            {**DETECTOR, "PixelSpacing": [0.3, 0.15]},
            (0.3, 0.15),
            "uncalibrated: as ImagerPixelSpacing",
        ),
        ({**PATIENT, "Modality": "CT"}, (0.2, 0.1), "PixelSpacing"),
        (DETECTOR, (0.3, 0.15), "at the detector, not corrected for magnification"),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, (0.1, 0.1), "NominalScanned"),
        ({"PixelSpacing": [0, 0.1], **DETECTOR}, None, "not two positive numbers"),
        ({"PixelAspectRatio": [2, 1]}, None, "not square (PixelAspectRatio 2:1)"),
        ({}, None, "none"),
    ],
)
def test_which_spacing_is_taken(tmp_path, tags, spacing, origin):
    (tmp_path / "a.dcm").write_bytes(data_of(picture(GREY, **tags)))
    header = reading.inspect(tmp_path / "a.dcm")
    assert header.spacing == spacing
    assert origin in header.origin


def test_warnings_come_once_for_a_pool(tmp_path):
    with pytest.warns(UserWarning) as said:
        data = pool(tmp_path, DETECTOR, DETECTOR, {})
    texts = [str(w.message) for w in said]
    assert len(texts) == 2
    assert "not corrected for magnification (2 of 3 images: 0.dcm, 1.dcm)" in texts[0]
    assert "1 of 3 images: 2.dcm have none" in texts[1]
    np.testing.assert_array_equal(data.spacing, [[0.3, 0.15]] * 2 + [[np.nan] * 2])
    assert data.spacing_note().startswith("ImagerPixelSpacing: at the detector")
    np.testing.assert_array_equal(data.subset([2, 0]).spacing[1], [0.3, 0.15])
    assert "(1 image)" in data.subset([0]).spacing_note()


CALIBRATED = {**PATIENT, "PixelSpacingCalibrationType": "GEOMETRY"}


def test_a_spacing_that_is_given_wins(tmp_path):
    data = pool(tmp_path, CALIBRATED, CALIBRATED)
    with pytest.warns(
        UserWarning, match=r"given is used, 0.1, not that of the files, 0.2 x 0.1 \("
    ):
        given = data.with_spacing(0.1)
    np.testing.assert_array_equal(given.spacing, [[0.1, 0.1]] * 2)
    assert given.spacing_note() == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.with_spacing((0.2, 0.1))


def test_other_formats_say_no_spacing(tmp_path):
    """Resolution of TIFF and PNG is that of a printer."""
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", GREY, resolution=(254, 254), resolutionunit="INCH")
    data = datasets.folder(tmp_path)
    assert data.spacing is None and data.file_spacing is None and data.spacing_note() == ""
    with pytest.warns(UserWarning, match="1 of 2 images: a.tif have none"):
        mixed = pool(tmp_path, CALIBRATED)
    np.testing.assert_array_equal(mixed.spacing, [[0.2, 0.1], [np.nan, np.nan]])
    assert "none: TIFF files say none (1 image)" in mixed.spacing_note()


@pytest.mark.filterwarnings("ignore:no spacing")
def test_errors_in_mm_leave_out_what_has_no_spacing(tmp_path):
    truth = np.tile([[10.0, 10.0], [20.0, 30.0]], (3, 1, 1))
    data = pool(tmp_path, CALIBRATED, {}, CALIBRATED).with_landmarks(truth, ["a", "b"])
    found = Landmarks(data.ids, ["a", "b"], truth + np.array([[[3, 4]], [[3, 4]], [[0, 4]]]))
    result = evaluate(found, data)
    assert (result.unit, result.ids) == ("mm", ["0.dcm", "2.dcm"])
    assert result.without_spacing == ["1.dcm"] == result.to_dict()["without_spacing"]
    np.testing.assert_allclose(result.errors[:, 0], [np.hypot(3 * 0.1, 4 * 0.2), 4 * 0.2])
    assert evaluate(found, data, unit="px").ids == data.ids
    with pytest.raises(ValueError, match="none of the 1 images to evaluate has one"):
        evaluate(found.rows(["1.dcm"]), data)


@pytest.mark.filterwarnings("ignore:no spacing")
def test_a_run_folder_keeps_the_spacing_of_the_files(tmp_path):
    """scp measure reads no images."""
    for count, folder in ((3, tmp_path / "same"), (2, tmp_path / "mixed")):
        folder.mkdir()
        data = pool(folder, *[CALIBRATED] * count, *[{}] * (3 - count))
        config = tmp_path / f"run {count}" / "config.toml"
        config.parent.mkdir()
        table = spacing_entry(data)
        assert table["spacing_from"] == data.spacing_note()
        run = RunFolder(config.parent)
        keep_spacing(run, data)
        run.write_config({"dataset": {"name": "folder", **table}})
        kept = spacing_of(spacing_in(config.parent), data.ids)
        np.testing.assert_array_equal(kept, data.spacing)
        assert spacing_note_in(config.parent) == data.spacing_note()
        again = with_kept_spacing(datasets.folder(folder), config.parent)
        assert again.given_spacing is None and again.spacing_note() == data.spacing_note()


@pytest.mark.filterwarnings("ignore:no spacing")
def test_info_of_a_folder(tmp_path, capsys):
    pool(tmp_path, CALIBRATED, CALIBRATED, {})
    (tmp_path / "bad.dcm").write_bytes(b"no image")
    assert main(["info", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "0.2 x 0.1" in out and "PixelSpacing, calibrated (GEOMETRY) (2 images); none (1" in out
    assert "left out: bad.dcm: " in out
    assert main(["info", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 3


# Names and patients ----


def test_uids_as_names(tmp_path):
    data = pool(tmp_path, {}, {}, ids="uid")
    assert data.ids == [f"{dicomfiles.ROOT}1", f"{dicomfiles.ROOT}2"]
    listed = tmp_path / "points.csv"
    write_landmarks(listed, Landmarks(data.ids[::-1], ["a"], [[[1.0, 2.0]], [[3.0, 4.0]]]))
    table = datasets.table(listed, tmp_path, ids="uid")
    assert table.ids == data.ids
    np.testing.assert_array_equal(table.landmarks[:, 0], [[3, 4], [1, 2]])
    (tmp_path / "9.dcm").write_bytes((tmp_path / "0.dcm").read_bytes())
    with pytest.raises(DatasetError, match=r"9\.dcm: has the SOP instance UID of .*0\.dcm"):
        datasets.folder(tmp_path, ids="uid")
    with pytest.raises(ValueError, match="ids must be one of path, uid"):
        datasets.folder(tmp_path, ids="name")


def test_patients_are_numbers(tmp_path, capsys):
    one, two = {"PatientID": "B7"}, {"PatientID": "A1"}
    other = {**one, "IssuerOfPatientID": "elsewhere"}
    data = pool(tmp_path, one, two, one, other, {}, groups="patient")
    assert main(["info", str(tmp_path)]) == 0
    assert re.search(r"patients +3 \(1 image without\)", capsys.readouterr().out)
    assert data.groups == [1, 2, 1, 3, None]
    assert datasets.folder(tmp_path).groups is None
    with pytest.raises(ValueError, match="groups must be 'patient' or None"):
        datasets.folder(tmp_path, groups="person")


# What never leaves a file ----


@pytest.mark.filterwarnings("ignore")
def test_nothing_of_a_patient_is_written_or_said(tmp_path, capfd, monkeypatch):
    """The verbs on files full of names, and on damaged ones; then everything is searched."""
    monkeypatch.chdir(tmp_path)
    images = tmp_path / "xrays"
    images.mkdir()
    source = phantom(6, seed=3, size=(128, 104))
    for i in range(6):
        own = {**SECRETS, "PatientID": SECRETS["PatientID"] + str(i // 2)}
        tags = {"PixelSpacing": [0.6, 0.5], "WindowCenter": 128, "WindowWidth": 256, **own}
        (images / f"{i}.dcm").write_bytes(data_of(picture(source.image(i), i + 1, **tags)))
    ids = [f"{i}.dcm" for i in range(6)]
    names = source.landmark_names
    truth = Landmarks(ids, names, source.landmarks)
    write_landmarks(tmp_path / "truth.csv", truth)
    write_landmarks(tmp_path / "two.csv", truth.rows(["0.dcm", "3.dcm"]))
    chosen = ["select", "xrays", "-m", "2", "--size", "64", "--run", "run", "--quiet"]
    assert main([*chosen, "--groups", "patient", "--no-duplicates"]) == 0
    picked = json.loads((tmp_path / "run" / "selection.json").read_text())
    assert picked["rules"]["groups"] == [1, 1, 2, 2, 3, 3]
    table = ["--dataset", "table", "--annotations", "truth.csv"]
    found = ["--templates", "two.csv", "--run", "run", "--quiet", "--size", "64"]
    assert main(["detect", "xrays", *found]) == 0
    for tool in writable_names():
        assert main(["export", "xrays", "--run", "run", "--to", tool, "--predictions"]) == 0
    assert main(["annotate", "xrays", "--run", "run", "--least-certain", "2"]) == 0
    assert main(["measure", "run", "--definitions", "isbi2015"]) == 0
    assert "PixelSpacing, uncalibrated" in capfd.readouterr().out
    assert main(["evaluate", "run/landmarks.csv", "xrays", *table, "--out", "accuracy"]) == 0
    out = capfd.readouterr()
    assert "spacing: PixelSpacing, uncalibrated: the file says no calibration (6 images)" in out.out
    said = [out.out, out.err]
    good = (images / "0.dcm").read_bytes()
    for k, text in enumerate(SECRETS.values()):  # each damaged in its place, and cut there
        at = good.index(text.encode()[:8])
        for bad in (good[: at + 5], good[:at] + b"\xff\\\0" + good[at + 3 :], good[: at - 4]):
            (tmp_path / "bad").mkdir(exist_ok=True)
            (tmp_path / "bad" / f"{k}.dcm").write_bytes(bad)
            main(["select", "bad", "-m", "1", "--groups", "patient", "--run", "other", "--quiet"])
    said += [*capfd.readouterr()]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".dcm":
            said.append(path.read_bytes().decode("latin-1"))
    assert len(said) > 10
    for text in SECRETS.values():
        for part in text.split("^"):
            assert not any(part in one for one in said), part
