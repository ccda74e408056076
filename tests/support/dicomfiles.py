"""DICOM files for tests."""

from __future__ import annotations

import io
import struct

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.8.498."
# What must never leave a file; each text is unique.
SECRETS = {
    "PatientName": "Zebrowski^Quillon",
    "PatientID": "PID77341199",
    "IssuerOfPatientID": "ISSUERQX",
    "PatientBirthDate": "19530417",
    "PatientAddress": "Wolpertingerweg 9",
    "OtherPatientNames": "Aliassen^Umbrafeld",
    "AccessionNumber": "ACC5588210",
    "StudyDate": "20190823",
    "SeriesDate": "20190824",
    "ContentDate": "20190825",
    "AcquisitionDate": "20190826",
    "StudyTime": "111213.5",
    "InstitutionName": "Klinik Sankt Xylophon",
    "InstitutionAddress": "Uhrturmgasse 4",
    "ReferringPhysicianName": "Brzeczek^Odalinde",
    "PerformingPhysicianName": "Yttrium^Veradine",
    "OperatorsName": "Quokka^Nedwinson",
    "StudyDescription": "STUDYDESCRQQ",
    "SeriesDescription": "SERIESDESCRQQ",
    "StationName": "STATIONQQ",
    "DeviceSerialNumber": "SERIALQQ881",
    "StudyID": "STUDYIDQQ",
    "ImageComments": "COMMENTSQQ",
    "PatientComments": "PCOMMENTSQQ",
    "ProtocolName": "PROTOCOLQQ",
    "RequestedProcedureDescription": "PROCEDUREQQ",
    "AdmittingDiagnosesDescription": "DIAGNOSISQQ",
}


def picture(image: np.ndarray, number: int = 1, **tags) -> Dataset:
    """A data set with these pixels, uint8 or uint16 [H][W] or [H][W][3], or int16 [H][W]."""
    out = Dataset()
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out.SOPClassUID = DigitalXRayImageStorageForPresentation
    out.SOPInstanceUID = f"{ROOT}{number}"
    out.Modality = "DX"
    out.Rows, out.Columns = image.shape[:2]
    out.SamplesPerPixel = 3 if image.ndim == 3 else 1
    out.PhotometricInterpretation = "RGB" if image.ndim == 3 else "MONOCHROME2"
    if image.ndim == 3:
        out.PlanarConfiguration = 0
    bits = 8 * image.dtype.itemsize
    out.BitsAllocated = out.BitsStored = bits
    out.HighBit = bits - 1
    out.PixelRepresentation = int(image.dtype.kind == "i")
    data = image.tobytes()
    out.PixelData = data + b"\0" * (len(data) % 2)
    for name, value in tags.items():
        setattr(out, name, value)
    if "BitsStored" in tags and "HighBit" not in tags:
        out.HighBit = out.BitsStored - 1
    return out


def data_of(content: Dataset) -> bytes:
    """The file."""
    out = io.BytesIO()
    content.file_meta.MediaStorageSOPClassUID = content.SOPClassUID
    content.file_meta.MediaStorageSOPInstanceUID = content.SOPInstanceUID
    pydicom.dcmwrite(out, content, enforce_file_format=True)
    return out.getvalue()


def encapsulated(content: Dataset, stream: bytes, syntax: str) -> Dataset:
    """The data set with compressed pixels instead."""
    stream += b"\0" * (len(stream) % 2)
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    items += struct.pack("<HHI", 0xFFFE, 0xE000, len(stream)) + stream
    content.PixelData = items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    content["PixelData"].VR = "OB"
    content["PixelData"].is_undefined_length = True
    content.file_meta.TransferSyntaxUID = UID(syntax)
    return content


def look_up_table(entries, first: int, bits: int) -> Dataset:
    """An item of a modality or VOI LUT sequence."""
    out = Dataset()
    out.add_new(0x00283002, "US" if first >= 0 else "SS", [len(entries) % 65536, first, bits])
    out.add_new(0x00283006, "OW", np.asarray(entries, "<u2").tobytes())
    return out
