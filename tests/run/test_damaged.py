"""A finished run folder in which one bit has changed: what is computed again is said and gives the
same answer, what cannot be is one sentence with the name of the file."""

import random
import shutil
import warnings
from pathlib import Path

import pytest
from phantoms import write_images

import scp

NETWORK = {"encoder": [8, 8, 8], "depths": [0, 1, 1], "decoder": [8, 8], "channels": 8}
HEADS = {k: v for k, v in NETWORK.items() if k != "channels"}
TRAINING = {"batch": 2, "points": 8, "window": 3, "log_every": 1, "checkpoint_seconds": 0}
FLIPS = 5  # bits of each file


def images(root: Path) -> scp.datasets.Dataset:
    return scp.datasets.folder(root / "images")


def train(root: Path):
    extractor = scp.FeatureExtractor(size=(64, 64), network=NETWORK, training=TRAINING)
    extractor.fit(images(root), steps=2, run=root / "run", progress=False)
    return extractor.model_.digest(), []


def select(root: Path):
    run = scp.Run(images(root), root / "run", count=8, progress=False)
    choice = run.select([1, 2], groups=list("aabbcc"))
    s = choice.selection
    return (choice.ids, s.score, s.upper_bound, choice.values.tobytes()), choice.warnings


def report(root: Path):
    run = scp.Run.open(root / "run", images(root), progress=False)
    run.report()
    return (run.chosen(), run.parameters()), []


def detect(root: Path):
    run = scp.Run(images(root), root / "run", count=8, progress=False)
    return run.detect(scp.read_landmarks(root / "marks.csv")).xy.tobytes(), []


def refine(root: Path):
    found = scp.read_landmarks(root / "found.csv")
    refiner = scp.LandmarkRefiner(
        start="random",
        size=(64, 64),
        network=HEADS,
        training={"log_every": 1, "labelled": 1, "pseudo": 1},
    )
    marks = scp.read_landmarks(root / "marks.csv")
    refiner.fit(images(root), found, templates=marks, steps=2, run=root / "run", progress=False)
    return refiner.model_.digest(), []


def refined(root: Path):
    refiner = scp.LandmarkRefiner.load(root / "run")
    return refiner.predict(images(root), views=1, progress=False).xy.tobytes(), []


READERS = {
    "checkpoint.safetensors": (train,),
    "weights.safetensors": (select, detect),
    "log.jsonl": (train, report),
    "config.toml": (report, select),
    "keypoints.npz": (select,),
    "images.json": (select,),
    "similarity.npy": (select,),
    "places.npy": (select,),
    "similarity.ledger": (select,),
    "selection.json": (report, select),
    "report.html": (detect,),
    "landmarks.csv": (report,),
    "refine1.checkpoint.safetensors": (refine,),
    "refine1.jsonl": (refine,),
    "refined.safetensors": (refined,),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, dict]:
    """Images, marks of two of them, a run with the files of every verb; and the answers."""
    root = tmp_path_factory.mktemp("whole")
    pool = scp.datasets.phantom(6, seed=4, size=(96, 80))
    write_images(root / "images", pool)
    truth = scp.Landmarks.of(pool)
    marks = scp.Landmarks(images(root).ids[:2], truth.names, truth.xy[:2])
    scp.write_landmarks(root / "marks.csv", marks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scp.runs.images.AT_REST", -1 << 62)
        for reader in (train, select, detect):
            reader(root)
        shutil.copy(root / "run" / "landmarks.csv", root / "found.csv")
        for reader in (refine, report):
            reader(root)
    shutil.copytree(root / "run", root / "backup")
    readers = dict.fromkeys(reader for readers in READERS.values() for reader in readers)
    return root, {reader: reader(root)[0] for reader in readers}


def outcome(whole: tuple[Path, dict], name: str, change, reader) -> tuple[str, list[str]]:
    """ "same" or the error, after a change of one file, and the warnings; AssertionError for
    anything that may not be."""
    root, answers = whole
    shutil.rmtree(root / "run")
    shutil.copytree(root / "backup", root / "run")
    path = root / "run" / name
    path.write_bytes(change(path.read_bytes()))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            answer, notes = reader(root)
        except (ValueError, OSError) as error:
            assert type(error).__name__ in ("ValueError", "DatasetError"), repr(error)
            assert name in str(error) and "\n" not in str(error), repr(error)
            return str(error), []
    assert answer == answers[reader]
    return "same", [*notes, *(str(w.message) for w in said)]


def flipped(bit: int):
    def change(data: bytes) -> bytes:
        out = bytearray(data)
        out[bit // 8 % len(out)] ^= 1 << bit % 8
        return bytes(out)

    return change


@pytest.mark.parametrize("name", READERS)
def test_one_bit(whole, name):
    size, rng = (whole[0] / "backup" / name).stat().st_size, random.Random(name)
    for k in range(FLIPS):
        bit = 8 * (size * k // FLIPS) + rng.randrange(8 * max(size // FLIPS, 1))
        for reader in READERS[name]:
            outcome(whole, name, flipped(bit), reader)


@pytest.mark.parametrize(
    "name, change, said",
    [
        ("similarity.npy", flipped(8 * 200), "a row is not as written"),
        ("similarity.npy", flipped(8 * 20), "computed anew"),
        ("similarity.npy", lambda data: data[:-5], "computed anew"),
        ("similarity.ledger", flipped(8 * 40 + 1), "similarity.ledger: damaged; computed anew"),
        ("similarity.ledger", lambda data: data[:-14] + data[-13:], "a row is not as written"),
        ("similarity.ledger", lambda data: data[:60], "similarity.ledger: damaged; computed anew"),
        ("keypoints.npz", flipped(8 * 200), "keypoints.npz: damaged"),
        ("keypoints.npz", lambda data: data[:90], "keypoints.npz: damaged"),
        ("images.json", lambda data: data.replace(b'"sha256": "', b'"sha256": "0'), "images.json"),
        ("images.json", lambda data: b"[" * 100_000, "images.json: nested too deeply"),
    ],
)
def test_what_is_computed_again_is_said(whole, name, change, said):
    end, notes = outcome(whole, name, change, select)
    assert end == "same" and [n for n in notes if said in n], notes


@pytest.mark.parametrize(
    "name, old, new, reader",
    [
        ("selection.json", b'"index": ', b'"index": 1', report),
        ("config.toml", b"count = 8", b"count = 9", report),
        ("weights.safetensors", b'\\"steps\\": 2', b'\\"steps\\": 3', select),
        ("checkpoint.safetensors", b'\\"step\\": 2', b'\\"step\\": 1', train),
        ("checkpoint.safetensors", b'\\"batch\\": 2', b'\\"batch\\": 3', train),
        ("refined.safetensors", b'\\"seed\\": 0', b'\\"seed\\": 1', refined),
    ],
)
def test_a_changed_number_is_refused(whole, name, old, new, reader):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)

    end, _ = outcome(whole, name, change, reader)
    assert name in end and ("damaged" in end or "changed" in end), end
