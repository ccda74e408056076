"""What ends every verb at any moment: signals at random moments and at file events, and files that
may not grow. The same command then gives what an uninterrupted one gives, and nothing is left."""

import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scp

DRIVER = Path(__file__).parents[1] / "support" / "killing.py"
EVENTS, MOMENTS = 5, 2  # of each signal
KILL, TERM = 9, 15
TRAINING = ["--size", "64", "--set", "log_every=4", "--set", "checkpoint_seconds=0"]
NOT_ALIKE = {"report.html", "images.json", "metrics.json"}  # times of files and of stages


class Commands:
    """Runs commands, each in its own process."""

    def __init__(self):
        command = [sys.executable, DRIVER]
        pipe = subprocess.PIPE
        self.driver = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def __call__(self, words, folder, **how):
        asked = {"words": [str(w) for w in words], "folder": str(folder), **how}
        self.driver.stdin.write(json.dumps(asked) + "\n")
        self.driver.stdin.flush()
        return json.loads(self.driver.stdout.readline())


@pytest.fixture(scope="module")
def do():
    commands = Commands()
    yield commands
    commands.driver.stdin.close()
    commands.driver.wait(60)
    commands.driver.stdout.close()


@pytest.fixture(scope="module", params=["select", "train", "detect", "refine"])
def case(request, do, images, tmp_path_factory):
    """The words of a verb, the folder that it starts from or None, and the files it ends with."""
    verb, home = request.param, tmp_path_factory.mktemp(request.param)
    marks = home / "marks.csv"
    scp.write_landmarks(
        marks, scp.Landmarks(["p2.png", "p4.png"], ["a"], [[[60.0, 80.0]], [[70.0, 90.0]]])
    )
    choice = ["select", images, "-m", "2,3", "--size", "64", "--count", "20", "--quiet"]
    words = {
        "select": [*choice, "--score", "cycle", "--max-memory", "2M"],
        "train": ["train", images, "--steps", "9", *TRAINING, "--set", "batch=1"],
        "detect": ["detect", images, "--templates", marks, "--size", "64"],
        "refine": ["refine", images, "--templates", marks, "--steps", "6", "--rounds", "2"],
    }[verb]
    words = [*words, *(TRAINING if verb == "refine" else []), "--quiet"]
    before = home / "before" if verb in ("detect", "refine") else None
    if before is not None:
        assert do([*choice, "--run", before], before)["code"] == 0
    run = begin(home / "whole", before)
    done = do([*words, "--run", run], run)
    assert done["code"] == 0, done
    return words, before, files(run), done


def begin(run, before):
    shutil.rmtree(run, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, run)
    return run


def files(run):
    """What lies in a run folder, without times and places."""
    content = {}
    for path in sorted(run.iterdir()):
        content[path.name] = None
        if path.suffix == ".safetensors":
            tensors = scp.runs.read_safetensors(path)[1]
            content[path.name] = {name: array.tobytes() for name, array in tensors.items()}
        elif path.suffix == ".jsonl":
            entries = map(json.loads, path.read_text().splitlines())
            content[path.name] = [(e["step"], e["loss"], e["levels"]) for e in entries]
        elif path.name not in NOT_ALIKE:
            content[path.name] = path.read_bytes()
    return content


def left(run):
    """Temporary files."""
    return [p.name for p in run.iterdir() if p.name.startswith(".scp-")] if run.exists() else []


def goes_on(do, words, run, expected):
    again = do([*words, "--run", run], run)
    assert again["code"] == 0, again
    assert "damaged" not in again["error"]
    assert files(run) == expected


@pytest.mark.slow
@pytest.mark.parametrize("number", [KILL, TERM])
def test_signals_at_any_moment_lose_nothing(do, case, tmp_path, number):
    words, before, expected, done = case
    dice = random.Random(number)
    events = dice.sample(range(1, done["events"] + 1), min(EVENTS, done["events"]))
    moments = [{"delay": dice.uniform(0, done["seconds"])} for _ in range(MOMENTS)]
    stopped = 0
    for how in [*({"event": k} for k in sorted(events)), *moments]:
        run = begin(tmp_path / "run", before)
        ended = do([*words, "--run", run], run, number=number, **how)
        assert ended["code"] in (0, -KILL if number == KILL else 128 + TERM), (how, ended)
        stopped += ended["code"] != 0
        if ended["code"] == 128 + TERM:
            said = ended["error"].splitlines()
            assert said[-1] == "stopped; the same command goes on from here", (how, said)
            assert not left(run), how
        goes_on(do, words, run, expected)
    assert stopped >= EVENTS - 1


@pytest.mark.slow
def test_files_that_may_not_grow_are_named(do, case, tmp_path):
    words, before, expected, _ = case
    run = begin(tmp_path / "run", before)
    assert do([*words, "--run", run], run)["code"] == 0
    kept = set() if before is None else {p.name for p in before.iterdir()}
    written = [p for p in run.iterdir() if p.name not in kept or p.name == "report.html"]
    limits = sorted({path.stat().st_size - 1 for path in written})
    for limit in limits[:: 1 + len(limits) // 5]:
        run = begin(tmp_path / "run", before)
        ended = do([*words, "--run", run], run, limit=limit)
        assert ended["code"] == 2, (limit, ended)
        said = ended["error"].splitlines()[-1]
        found = re.match(
            rf"error: {re.escape(str(run))}/([\w.-]+): larger than a file may be", said
        )
        assert found and "give the same command again" in said, (limit, said)
        assert not left(run)
    goes_on(do, words, run, expected)
