"""What scp computes, as hashes: two builds that print the same compute the same, to the last bit.

    python tools/goldens.py OUT.json [--data FOLDER] [--package ROOT] [--quick]
    python tools/goldens.py --compare A.json B.json

Runs the command line of the package below ROOT (this checkout by default) on the generated
radiographs and, where FOLDER has them, on ten cephalograms: with one and two threads, with plain
and with native kernels. A hash covers what a user can measure: matrices, choices, weights,
landmarks, errors and the numbers in the report; times, versions and folders are left out. Hashes
differ between versions of OpenCV and libm, so they are compared on one machine and not kept.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TIMED = {"scp", "seconds", "images_per_second", "elapsed", "root", "run", "command", "created"}
SMALL = ["--set", "batch=2", "--size", "192"]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:20]


def plain(value, folder: str):
    """JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {k: plain(v, folder) for k, v in sorted(value.items()) if k not in TIMED}
    if isinstance(value, list):
        return [plain(v, folder) for v in value]
    return value.replace(folder, "") if isinstance(value, str) else value


def tensors(path: Path) -> str:
    """The tensors of a safetensors file, without its metadata."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    head.pop("__metadata__", None)
    total = hashlib.sha256()
    for name in sorted(head):
        start, end = head[name]["data_offsets"]
        total.update(f"{name} {head[name]['shape']}".encode())
        total.update(content[8 + size + start : 8 + size + end])
    return total.hexdigest()[:20]


def numbers(path: Path, folder: str) -> str:
    """The numbers and words of a page, without its times and pictures."""
    text = path.read_text(encoding="utf-8").replace(folder, "")
    text = re.sub(r"<style.*?</style>|<script.*?</script>", "", text, flags=re.S)
    text = re.sub(r"data:[a-z/+]+;base64,[A-Za-z0-9+/=]+", "", text)
    text = re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    text = re.sub(r"<[^>]+>", " ", text)
    text = re.sub(r"\b[\d.]+ (s|ms|min|seconds|minutes)\b", "", text)
    found = re.findall(r"(?<![\w.])\d+\.\d+", text)
    return digest(" ".join(found).encode())


def collect(run: Path, folder: str) -> dict[str, str]:
    """Hashes of the files of a run folder."""
    out = {}
    for path in sorted(run.iterdir()):
        name = path.name
        if name in ("similarity.npy", "places.npy"):
            out[name] = digest(np.load(path).tobytes())
        elif name == "keypoints.npz":
            with np.load(path) as file:
                out[name] = digest(b"".join(file[k].tobytes() for k in sorted(file.files)))
        elif name.endswith(".safetensors") and "checkpoint" not in name:
            out[name] = tensors(path)
        elif name in ("selection.json", "metrics.json"):
            out[name] = digest(json.dumps(plain(json.loads(path.read_text()), folder)).encode())
        elif name.endswith(".csv"):
            out[name] = digest(path.read_bytes())
        elif name in ("report.html", "evaluation.html"):
            out[name] = numbers(path, folder)
        elif name.endswith(".jsonl"):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            losses = [[e.get("loss"), e.get("levels"), e.get("lr")] for e in lines[-1:]]
            out[name] = digest(json.dumps(losses).encode())
    return out


def scp(package: Path, environment: dict, *words) -> str:
    command = [sys.executable, "-P", "-m", "scp", *map(str, words)]
    if words[0] != "evaluate" and words[-1] != "--help":
        command.append("--quiet")
    environment = {**os.environ, **environment, "PYTHONPATH": str(package)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def score_flag(package: Path) -> str:
    """--score, or its name in 0.1.0."""
    text = scp(package, {}, "select", "--help")
    return "--score" if "--score" in text else "--objective"


def walk(package: Path, work: Path, data: list, marks: Path, environment: dict) -> dict:
    """All verbs on one data set."""
    out = {}
    run, plain_run, grid = work / "run", work / "gradient", ["--size", "192"]
    scp(package, environment, "select", *data, "-m", "1-4", "--run", plain_run, *grid)
    scp(
        package,
        environment,
        "select",
        *data,
        "-m",
        "3",
        "--run",
        work / "bilinear",
        *grid,
        "--mode",
        "bilinear",
        score_flag(package),
        "cycle",
        "--method",
        "exact",
        "--keypoints",
        "orb",
        "--count",
        "40",
    )
    scp(package, environment, "train", *data, "--steps", "50", "--run", run, *SMALL)
    scp(package, environment, "select", *data, "-m", "3", "--run", run, "--method", "exact")
    templates = ["--templates", marks]
    scp(package, environment, "detect", *data, "--run", plain_run, *templates)
    scp(package, environment, "detect", *data, "--run", run, *templates)
    shutil.copy(run / "landmarks.csv", run / "detected.csv")
    scp(
        package,
        environment,
        "refine",
        *data,
        "--steps",
        "20",
        "--run",
        run,
        "--set",
        "pseudo=2",
        *grid,
        *templates,
    )
    scp(
        package,
        environment,
        "evaluate",
        run / "landmarks.csv",
        *data,
        "--run",
        run,
        "--resamples",
        "200",
    )
    paper = work / "paper"
    scp(
        package,
        environment,
        "train",
        *data,
        "--preset",
        "paper",
        "--steps",
        "3",
        "--run",
        paper,
        *SMALL,
    )
    for folder in (plain_run, work / "bilinear", run, paper):
        for name, value in collect(folder, str(work)).items():
            out[f"{folder.name}/{name}"] = value
    return out


def pools(package: Path, work: Path, data: Path | None):
    """(name, words that name the data set, landmarks of the templates)"""
    make = (
        "import sys, scp, cv2, numpy as np, pathlib\n"
        "from scp.datasets import phantom\n"
        "from scp.landmarks import Landmarks, write_landmarks\n"
        "out = pathlib.Path(sys.argv[1]); out.mkdir()\n"
        "pool = phantom(8, seed=3)\n"
        "for i in range(8):\n"
        "    cv2.imwrite(str(out / (pool.ids[i] + '.png')), np.uint8(pool.image(i) * 255 + 0.5))\n"
        "every = Landmarks.of(pool)\n"
        "write_landmarks(out.parent / 'true.csv', every)\n"
        "write_landmarks(out.parent / 'marks.csv', every.rows(pool.ids[:2]))\n"
    )
    folder = work / "phantom"
    subprocess.run(
        [sys.executable, "-P", "-c", make, folder],
        check=True,
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    yield (
        "phantom",
        [folder, "--dataset", "table", "--annotations", work / "true.csv"],
        (work / "marks.csv"),
    )
    if data is None:
        return
    ten = work / "ten"
    (ten / "RawImage" / "TrainingData").mkdir(parents=True)
    for reader in ("400_junior", "400_senior"):
        (ten / reader).mkdir()
    lines = ["image,landmark,x,y"]
    for n in range(1, 11):
        shutil.copy(
            data / "RawImage" / "TrainingData" / f"{n:03}.jpg", ten / "RawImage/TrainingData"
        )
        for reader in ("400_junior", "400_senior"):
            shutil.copy(data / reader / f"{n:03}.txt", ten / reader)
    names = "import scp.datasets as d; print('\\n'.join(d.cephalometric_landmarks))"
    printed = subprocess.run(
        [sys.executable, "-P", "-c", names],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    for n in (2, 5):
        rows = (data / "400_senior" / f"{n:03}.txt").read_text().split()[:19]
        named = zip(printed.stdout.split("\n"), rows, strict=False)
        lines += [f"{n:03},{name},{row}" for name, row in named]
    (work / "ten.csv").write_text("\n".join(lines) + "\n")
    yield "cephalograms", [ten, "--dataset", "cephalometric", "--split", "train"], work / "ten.csv"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?")
    parser.add_argument("--data", type=Path, help="root of the cephalometric data set")
    parser.add_argument("--package", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--quick", action="store_true", help="native kernels, two threads")
    parser.add_argument("--compare", nargs=2, metavar="JSON")
    args = parser.parse_args()
    if args.compare:
        a, b = (json.loads(Path(p).read_text()) for p in args.compare)
        wrong = [k for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
        for key in wrong:
            print(f"differs: {key}: {a.get(key)} {b.get(key)}")
        print(f"{len(a.keys() | b.keys()) - len(wrong)} the same, {len(wrong)} differ")
        return bool(wrong) or not a
    settings = {"native-2": {"SCP_NUM_THREADS": "2"}}
    if not args.quick:
        settings |= {
            "native-1": {"SCP_NUM_THREADS": "1"},
            "portable-2": {"SCP_NUM_THREADS": "2", "SCP_ISA": "portable"},
        }
    hashes = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for pool, words, marks in pools(args.package, work, args.data):
            for setting, environment in settings.items():
                folder = work / f"{pool}-{setting}"
                folder.mkdir()
                found = walk(args.package, folder, words, marks, environment)
                hashes |= {f"{pool}/{setting}/{k}": v for k, v in found.items()}
                print(pool, setting, digest(json.dumps(found).encode()), flush=True)
    Path(args.out).write_text(json.dumps(hashes, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
