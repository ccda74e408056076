"""JSON, TOML and arrays that were damaged, or that claim more than they hold."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest

from scp.runs import RunFolder, parse_json, read_config, read_json
from scp.runs.arrays import npy_header, parse_npy, read_npz
from scp.runs.plain import sealed


@pytest.mark.parametrize(
    "text, what",
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "a name twice"),
        ("1" * 200_000, "a number of 200000 digits"),
        ("1e999", "too large"),
        (b"\xff", "not UTF-8"),
        ("{", "line 1: Expecting"),
        ("", "line 1: Expecting"),
    ],
)
def test_json_is_a_value_or_a_line(text, what):
    with pytest.raises(ValueError, match=what) as caught:
        parse_json(text)
    assert type(caught.value) is ValueError and "\n" not in str(caught.value)


def test_constants_of_python_are_taken_or_refused():
    assert parse_json("[NaN, -Infinity, 12345678901234567890]")[2] == 12345678901234567890
    with pytest.raises(ValueError, match="NaN is no number"):
        parse_json("[NaN]", constants=False)


def test_a_changed_file_is_refused_and_an_old_one_is_read(tmp_path):
    folder = RunFolder(tmp_path)
    content = {"a": [1, 2.5, None, float("inf")], "b": {"ä": True}}
    folder.write_json("x.json", content)
    path = tmp_path / "x.json"
    assert read_json(path) == content
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text)))  # the same in other words
    assert read_json(path) == content
    path.write_text(text.replace("2.5", "2.6"))
    with pytest.raises(ValueError, match=r"x\.json: damaged, or changed"):
        read_json(path)
    path.write_text(json.dumps(content))
    assert read_json(path) == content
    for wrong in ("[1]", "3", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=r"x\.json: "):
            read_json(path)


def test_settings_are_sealed_too(tmp_path):
    RunFolder(tmp_path).write_config({"dataset": {"name": "folder", "root": "/a/\U0001f600"}})
    path = tmp_path / "config.toml"
    assert read_config(path) == {"dataset": {"name": "folder", "root": "/a/\U0001f600"}}
    path.write_text(path.read_text().replace("folder", "other"))
    with pytest.raises(ValueError, match=r"config\.toml: damaged, or changed"):
        read_config(path)
    for text in ("a = " + "[" * 100_000, "a" + ".a" * 100_000 + " = 1", "a = 1979-05-27\ndigest=3"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"config\.toml: "):
            read_config(path)


def npy(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def header(text: str, version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        npy(np.arange(5))[:-1],
        npy(np.arange(5)) + b"\0",
        npy(np.array([1, "a"], object)),
        npy(np.asfortranarray(np.ones((2, 3)))),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (((((("),
        header("(" * 9000),
        header("9" * 9000),
        header("{'descr': " + "[" * 900 + "'<f4'"),
        b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b"{}",
    ],
)
def test_arrays_are_as_their_header_says(data):
    with pytest.raises(ValueError, match="array"):
        parse_npy(data)


def test_arrays_come_back():
    for array in (np.arange(6.0).reshape(2, 3), np.array("text"), np.zeros((0, 2), np.int32)):
        again = parse_npy(npy(array))
        assert again.dtype == array.dtype and np.array_equal(again, array)
        assert npy_header(io.BytesIO(npy(array))) == (array.shape, array.dtype)


def test_archives_are_read_with_a_limit(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.arange(3), b=np.ones(2))
    assert list(read_npz(path)) == ["a", "b"] and list(read_npz(path, ["b"])) == ["b"]
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(damaged)
        try:
            again = read_npz(path, ["a", "b"])
        except ValueError as error:
            assert "x.npz: damaged" in str(error)
        else:
            assert again["a"].tolist() == [0, 1, 2] and again["b"].tolist() == [1, 1]
    np.savez_compressed(path, a=np.zeros(1 << 20))
    with pytest.raises(ValueError, match=r"x\.npz: damaged: a is packed"):
        read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"not an array")
    with pytest.raises(ValueError, match=r"x\.npz: damaged"):
        read_npz(path)


def test_a_seal_is_renewed():
    once = sealed({"a": 1})
    again = sealed({**once, "a": 2})
    assert again == sealed({"a": 2}) != once and list(again) == ["digest", "a"]
