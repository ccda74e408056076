"""What a choice holds in memory, as the operating system counts it."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import scp

if not Path("/proc/self/status").exists():
    pytest.skip("needs /proc", allow_module_level=True)

# Arguments: images, run folder, sample, bytes. Prints the most that the process held for itself
# (pages of files not counted) above what it holds when everything is loaded and was used once.
CHOICE = """
import json, sys, threading, time
import numpy as np
import scp
images, run, sample, memory = sys.argv[1:]

def held():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("RssAnon"))

pool = scp.datasets.folder(images)
features = scp.GradientExtractor(size=(256, 256))
scp.choose(pool.subset(range(3)), 1, features=features, count=40, progress=False)
before, most, done = held(), 0, False

def look():
    global most
    while not done:
        most = max(most, held())
        time.sleep(0.002)

thread = threading.Thread(target=look)
thread.start()
choice = scp.Run(pool, run, features=features, count=40, progress=False, sample=int(sample) or None,
                 max_memory=int(memory)).select(4)
done = True
thread.join()
print(json.dumps([most - before, choice.ids]))
"""
IMAGES = 90


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    made = scp.datasets.phantom(IMAGES, size=(120, 96))
    for i in range(IMAGES):
        cv2.imwrite(str(folder / f"{i:03d}.png"), made.image(i))
    return folder


@pytest.mark.parametrize("sample", [0, 1000])
def test_max_memory_is_kept(images, tmp_path, sample):
    pyramid = scp.GradientExtractor(size=(256, 256)).pyramid_bytes()
    found = {}
    for memory in (12 * pyramid, 48 * pyramid):  # all pyramids would take 90
        command = [sys.executable, "-c", CHOICE, images, tmp_path / str(memory), str(sample)]
        done = subprocess.run([*command, str(memory)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[memory] = json.loads(done.stdout)
        assert 0 < found[memory][0] <= memory
    assert len({tuple(ids) for _, ids in found.values()}) == 1
