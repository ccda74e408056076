"""A disk that fills up at any stage: the error names the file, nothing half-written stays, and the
same call finishes when there is room again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scp
from scp.errors import DiskFullError
from scp.runs import naming, writing

# Arguments: images, run folder, stage at which the disk fills up, and how: "disk" (a file takes all
# the room) or a number (no file may grow beyond so many bytes). Prints what happened.
DRIVER = """
import json, os, resource, sys
import scp
from scp import choose
from scp.runs import images as known
known.AT_REST = -1 << 62  # the files are new
images, run, when, how = sys.argv[1:]
ballast = os.path.join(os.path.dirname(run), "ballast")
stages = []

def fill():
    if how != "disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(how), resource.RLIM_INFINITY))
        return
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass

def progress(stage, done, total):
    if done == 0:
        stages.append(stage)
        if stage == when:
            fill()
    if when == "row" and stage == "similarity" and done == total // 2 + 3:
        size = os.path.getsize(os.path.join(run, "similarity.ledger"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, resource.RLIM_INFINITY))

def job(progress):
    return choose(scp.datasets.folder(images), 3, features=scp.GradientExtractor(size=(128, 128)),
                  count=30, run=run, duplicates=False, progress=progress)

try:
    job(progress)
    error = None
except OSError as e:
    error = [type(e).__name__, str(e)]
left = sorted(os.listdir(run)) if os.path.isdir(run) else []
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if how == "disk" and os.path.exists(ballast):
    os.unlink(ballast)
again = job(None)
print(json.dumps({"error": error, "left": left, "resumed": again.resumed}))
"""

JOURNAL = "images.journal"  # until keypoints.npz and images.json are written
# In the order of the stages.
FILES = [
    "dataset.json",
    "keypoints.npz",
    "images.json",
    "similarity.npy",
    "places.npy",
    "similarity.ledger",
    "config.toml",
    "proof.npz",
    "selection.json",
    "marks.csv",
    "report.html",
]


@pytest.fixture(scope="module")
def whole(finished_run):
    """The files of a run that nothing stopped."""
    return {p.name: p.read_bytes() for p in finished_run.iterdir()}


def check(process, run: Path, whole, named: str, finished: int = 0):
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    assert process.stderr == ""
    kind, text = told["error"]
    assert kind == "DiskFullError" and text.startswith(f"{run / named}: ")
    assert "give the same command again" in text and "\n" not in text
    assert told["resumed"] == finished
    before = set(FILES[: FILES.index("keypoints.npz" if named == JOURNAL else named)])
    if named in ("similarity.npy", "places.npy"):
        before -= {"similarity.npy", "places.npy"}
    if named == "similarity.ledger":  # it grows with the rows
        before.add(named)
    assert before <= set(whole) and set(told["left"]) - {JOURNAL} == before - {"report.html"}
    for name in ("keypoints.npz", "similarity.npy", "places.npy"):
        assert (run / name).read_bytes() == whole[name]
    ours, other = (
        json.loads(text)
        for text in ((run / "selection.json").read_bytes(), whole["selection.json"])
    )
    assert ours == other
    assert (run / "report.html").stat().st_size > 10_000
    assert not [p.name for p in run.iterdir() if p.name not in whole]


@pytest.mark.parametrize(
    "stage, how, named, finished",
    [
        ("key points", 2000, JOURNAL, 0),
        ("similarity", 5000, "similarity.npy", 0),
        ("similarity", 100, "similarity.npy", 0),
        ("row", 0, "similarity.ledger", 3),
        ("selection", 50, "config.toml", 8),
        ("selection", 700, "proof.npz", 8),
        ("report", 20_000, "report.html", 8),
    ],
)
def test_a_limit_on_file_sizes(images, whole, tmp_path, stage, how, named, finished):
    command = [sys.executable, "-c", DRIVER, images, tmp_path / "run", stage, str(how)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    check(process, tmp_path / "run", whole, named, finished)
    assert "larger than a file may be" in json.loads(process.stdout)["error"][1]


def own_mounts() -> bool:
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "none",
        "/tmp",
    ]
    found = shutil.which("unshare") and shutil.which("mount")
    return bool(found) and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not own_mounts(), reason="this machine does not let users mount a small disk")
@pytest.mark.parametrize(
    "stage, named, finished",
    [
        ("key points", JOURNAL, 0),
        ("similarity", "similarity.npy", 0),
        ("selection", "config.toml", 8),
        ("report", "report.html", 8),
    ],
)
def test_a_full_disk(images, whole, tmp_path, stage, named, finished):
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=4m none "$0" && "$@" && cp -r "$0/run" "$0/../kept"'
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        disk,
        sys.executable,
        "-c",
        DRIVER,
        images,
        disk / "run",
        stage,
        "disk",
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    shown = process.stdout.replace(str(disk / "run"), str(kept))
    check(
        subprocess.CompletedProcess([], process.returncode, shown, process.stderr),
        kept,
        whole,
        named,
        finished,
    )
    text = json.loads(process.stdout)["error"][1]
    assert "no room on the disk" in text
    if named == "similarity.npy":
        assert "MB needed, 0.0 MB free" in text


def test_other_errors_pass_and_leave_nothing(tmp_path):
    with pytest.raises(PermissionError, match="no way"), naming(tmp_path / "a"):
        raise PermissionError("no way")
    with pytest.raises(ValueError, match="bad"), writing(tmp_path / "a") as path:
        path.write_text("half")
        raise ValueError("bad")
    (tmp_path / "b").write_text("old")
    with pytest.raises(DiskFullError, match="b: no room"), writing(tmp_path / "b") as path:
        path.write_text("half")
        raise OSError(28, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "old"


TRAINING = """
import json, resource, sys
import scp
pool = scp.datasets.phantom(2, seed=3, size=(80, 64))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
extractor = scp.FeatureExtractor(size=(64, 64))
try:
    extractor.fit(pool, steps=2, run=sys.argv[1], progress=False)
except OSError as e:
    print(json.dumps([type(e).__name__, str(e)]))
"""


@pytest.mark.parametrize(
    "limit, named", [(20_000, "checkpoint.safetensors"), (800_000, "weights.safetensors")]
)
def test_a_limit_on_the_files_of_a_training(tmp_path, limit, named):
    run = tmp_path / "run"
    pool = scp.datasets.phantom(2, seed=3, size=(80, 64))
    whole = tmp_path / "whole"
    scp.FeatureExtractor(preset="laptop", size=(64, 64)).fit(
        pool, steps=2, run=whole, progress=False
    )
    if named == "weights.safetensors":  # smaller than the checkpoint, which is there already
        run.mkdir()
        shutil.copy(whole / "checkpoint.safetensors", run)
        limit = (whole / named).stat().st_size - 1
    command = [sys.executable, "-c", TRAINING, run, str(limit)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    kind, text = json.loads(process.stdout)
    assert kind == "DiskFullError" and text.startswith(f"{run / named}: ")
    assert "give the same command again" in text
    assert not [p.name for p in run.iterdir() if p.name.startswith(".") or p.name == named]


PYRAMIDS = """
import resource, sys
import scp
pool = scp.datasets.phantom(3, seed=3, size=(80, 64))
features = scp.GradientExtractor(size=(64, 64))
pyramids = [features.pyramid(pool.grid(i, features.grid_size)) for i in range(3)]
resource.setrlimit(resource.RLIMIT_FSIZE, (pyramids[0].features.nbytes, resource.RLIM_INFINITY))
try:
    scp.features.PyramidStore(pyramids, 0, sys.argv[1])
except OSError as e:
    print(type(e).__name__, e)
"""


def test_pyramids_that_do_not_fit_name_the_folder(tmp_path):
    command = [sys.executable, "-c", PYRAMIDS, tmp_path]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0 and process.stderr == ""
    assert process.stdout.startswith(f"DiskFullError {tmp_path / 'pyramids'}: larger than a file")
    assert "MB needed" in process.stdout and not list(tmp_path.iterdir())
