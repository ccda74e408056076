"""PyTorch files, harmless and hostile, read without PyTorch."""

import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torchfiles
from torchfiles import Fake, dumps, state_dict, write_stream, write_zip

from scp.networks.torchfile import UnsafeFileError, read_torch

WRITERS = {"zip": write_zip, "stream": write_stream}


@pytest.fixture(params=WRITERS)
def write(request, monkeypatch):
    torchfiles.fake_torch(monkeypatch)
    return WRITERS[request.param]


def arrays():
    rng = np.random.default_rng(0)
    return {
        "features.0.weight": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "features.0.bias": rng.normal(size=4).astype(np.float16),
        "count": np.array(7, np.int64),
        "wide": rng.normal(size=(2, 5)),
        "empty": np.zeros((0, 3), np.float32),
    }


def test_reads_all_types(write, tmp_path):
    path, expected = tmp_path / "a.pth", arrays()
    write(path, state_dict(expected))
    found = read_torch(path)
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    assert list(read_torch(path, lambda n: n.startswith("wide"))) == ["wide"]


def test_reads_parts_of_a_storage_and_nested_dicts(write, tmp_path):
    path = tmp_path / "a.pth"
    table = OrderedDict(part=Fake(np.arange(6, dtype=np.float32).reshape(2, 3), "7", offset=5))
    content = {"epoch": 3, "loss": 0.5, "state_dict": table}
    write(path, table, dumps(content, legacy=write is write_stream))
    assert (read_torch(path)["part"] == np.arange(6).reshape(2, 3)).all()


def test_reads_transposed_tensors(write, tmp_path):
    path, values = tmp_path / "a.pth", np.arange(6, dtype=np.float32).reshape(2, 3)
    write(path, {"x": Fake(values, "0", strides=(1, 2))})
    assert (read_torch(path)["x"] == values.reshape(3, 2).T).all()
    write(path, {"x": Fake(values, "0", strides=(0, 0))})
    assert (read_torch(path)["x"] == 0).all()


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "value",
    [
        Hostile(os.system, "touch executed"),
        Hostile(eval, "open('executed', 'w')"),
        Hostile(getattr, OrderedDict, "fromkeys"),
        Hostile(np.frombuffer, b"1234"),
    ],
)
def test_nothing_is_executed(write, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    write("a.pth", {}, dumps({"features.0.weight": value}))
    with pytest.raises(UnsafeFileError, match=r"a\.pth: the file names .*state_dict"):
        read_torch("a.pth")
    assert os.listdir() == ["a.pth"]


@pytest.mark.parametrize(
    "code, text",
    [
        (b"\x80\x02ctorch\nFloatStorage\n(I1\ntR.", "instruction INT"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "calls FloatStorage"),
        (b"\x80\x02ctorch\nFloatStorage\n)\x81.", "instruction NEWOBJ"),
        (b"\x80\x02(ios\nsystem\n.", "instruction INST"),
        (b"\x80\x02ccollections\nOrderedDict\n}b.", "state of something"),
        (b"\x80\x02}ccollections\nOrderedDict\n)RR.", "not a name of the list|calls something"),
        (b"\x80\x02ccollections\nOrderedDict.__class__\n.", "OrderedDict.__class__"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"\x80\x02]K\x01K\x02s.", "not a dict"),
        (b"\x80\x02}K\x01a.", "not a list"),
        (b"\x80\x02\x82\x01.", "instruction EXT1"),
        (b"\x80\x02(K\x01K\x02tQ.", "damaged|not a storage"),
        (b"\x80\x02(U\x06moduleK\x01K\x01K\x01K\x01tQ.", "not a storage"),
        (b"\x80\x02]q\x00.", "no state dict"),
        (b"\x80\x02}t.", "damaged"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02}", "damaged"),
        (b"\x80\x09}.", "protocol 9"),
    ],
)
def test_refuses_strange_programs(write, tmp_path, code, text):
    write(tmp_path / "a.pth", {}, code)
    with pytest.raises(ValueError, match=text):
        read_torch(tmp_path / "a.pth")


def doubled(depth: int) -> bytes:
    """A tuple that holds the one before it twice, `depth` deep: 2^depth leaves."""
    return b"Nq\0" + b"h\0h\0\x86q\0" * depth


@pytest.mark.parametrize(
    "code",
    [
        b"}" + doubled(45) + b"Ns",  # hashed as a key of a dict
        b"}(" + doubled(45) + b"Nu",
        b"ccollections\nOrderedDict\n](" + doubled(45) + b"N\x86e\x85R",
        b"(" + doubled(45) + b"ctorch\nFloatStorage\nX\1\0\0\0xX\3\0\0\0cpuK\1tQ",
        b"(X\7\0\0\0storagectorch\nFloatStorage\n" + doubled(45) + b"X\3\0\0\0cpuK\1tQ",
        doubled(45) + b"h\0\x93",  # a name
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + doubled(45) + b"K\0h\0h\0tR",
        b"\x8f(" + doubled(45) + b"\x90",  # a set
        b"(" + doubled(45) + b"\x91",
    ],
)
def test_shared_tuples_are_not_walked_through(write, tmp_path, code):
    path = tmp_path / "a.pth"
    write(path, {}, b"\x80\x02" + code + b".")
    with pytest.raises(ValueError, match=r"a\.pth: ") as caught:
        read_torch(path)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_steps_names_and_pairs_are_limited(write, tmp_path, monkeypatch):
    path, mapping = tmp_path / "a.pth", b"ccollections\nOrderedDict\n"
    pairs = mapping + b"](" + b"K\1K\2\x86" * 50 + b"e\x85q\0R0" + (mapping + b"h\0R0") * 30
    write(path, {}, b"\x80\x02" + pairs + b"}.")
    monkeypatch.setattr("scp.networks.torchpickle.MOST_STEPS", 1000)
    with pytest.raises(ValueError, match="more than 1000 items"):
        read_torch(path)
    monkeypatch.setattr("scp.networks.torchpickle.MOST_STEPS", 100)
    with pytest.raises(ValueError, match="more than 100 instructions"):
        read_torch(path)
    write(path, {"n" * 2000: Fake(np.ones(2, np.float32), "0")})
    with pytest.raises(ValueError, match="no name: str of 2000 characters"):
        read_torch(path)


def test_archives_that_claim_more_than_they_hold(tmp_path, monkeypatch):
    torchfiles.fake_torch(monkeypatch)
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\x80\x02" + bytes(20 << 20))
    with pytest.raises(UnsafeFileError, match=r"data\.pkl is too large"):
        read_torch(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
        archive.writestr("m/byteorder", b"little" + b" " * (1 << 20))
    with pytest.raises(UnsafeFileError, match="byteorder is too large"):
        read_torch(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("m/data.pkl", b"\x80\x02}.")
    with pytest.raises(UnsafeFileError, match="two entries of one name"):
        read_torch(path)
    write_zip(path, state_dict({str(i): np.ones(50, np.float32) for i in range(40)}))
    with zipfile.ZipFile(path) as archive:
        first = archive.getinfo("archive/data/0").header_offset
        places = [archive.getinfo(f"archive/data/{i}").header_offset for i in range(1, 40)]
    data = path.read_bytes()
    table = data.index(b"PK\1\2")
    for at in places:  # all storages lie where the first one does
        old, new = at.to_bytes(4, "little"), first.to_bytes(4, "little")
        where = data.index(old + b"archive/data/", table)
        data = data[:where] + new + data[where + 4 :]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.pth: damaged"):
        read_torch(path)


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"strides": (4, 1)}, "beyond its storage"),
        ({"strides": (3, 2)}, "beyond its storage"),
        ({"strides": (3, -1)}, "whole numbers"),
        ({"strides": (3, 1, 1)}, "as many strides"),
    ],
)
def test_refuses_tensors_that_do_not_fit(write, tmp_path, wrong, text):
    write(tmp_path / "a.pth", {"x": Fake(np.ones((2, 3), np.float32), "0", **wrong)})
    with pytest.raises(ValueError, match=text):
        read_torch(tmp_path / "a.pth")


def test_refuses_a_tensor_beyond_its_storage(write, tmp_path, monkeypatch):
    fake = Fake(np.ones((2, 3), np.float32), "0")
    small = Fake(np.ones(5, np.float32), "0")
    table = dumps({"x": fake}, legacy=write is write_stream)
    at = table.index(b"K\x06")  # the size of the storage
    table = table[:at] + b"K\x05" + table[at + 2 :]
    write(tmp_path / "a.pth", {"x": small}, table)
    with pytest.raises(ValueError, match="beyond its storage"):
        read_torch(tmp_path / "a.pth")


def test_every_cut_of_a_file_is_an_error(write, tmp_path):
    path = tmp_path / "a.pth"
    write(path, state_dict({"x": np.ones(20, np.float32)}))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.pth: "):
            read_torch(path)


def test_flipped_bytes_never_raise_anything_else(write, tmp_path):
    path = tmp_path / "a.pth"
    write(path, state_dict(arrays()))
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(damaged), 900), 3):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            found = read_torch(path)
        except (ValueError, zipfile.BadZipFile) as error:
            assert "a.pth" in str(error)
        else:
            assert all(isinstance(a, np.ndarray) for a in found.values())


def test_other_files_are_named_for_what_they_are(tmp_path):
    path = tmp_path / "a.pth"
    for data, text in (
        (b"", "not a PyTorch file"),
        (b"data/\0\0\0ustar", "not a PyTorch file"),
        (pickle.dumps({"x": 1}, 2), "not one that torch.save"),
    ):
        path.write_bytes(data)
        with pytest.raises(UnsafeFileError, match=text):
            read_torch(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "x")
    with pytest.raises(UnsafeFileError, match=r"no data\.pkl"):
        read_torch(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
        archive.writestr("m/constants.pkl", b"\x80\x02).")
    with pytest.raises(UnsafeFileError, match="TorchScript"):
        read_torch(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
    assert read_torch(path) == {}
