"""Builds the CUDA sources for the host (tests/cuda_host), with g++ alone."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "tests" / "cuda_host"
FLAGS = (
    "-std=c++17 -O2 -g -fPIC -fvisibility=hidden -ffp-contract=off -U_FORTIFY_SOURCE "
    f"-Wall -Wextra -Werror -I{HOST} -I{ROOT / 'csrc' / 'include'}"
).split()


def host_library(name: str) -> Path:
    """build/cuda_host/libNAME.so: "broken", or "scp", the plug-in of csrc/cuda."""
    if sys.platform != "linux":
        pytest.skip("the fibers of the emulation are made for Linux")
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the fibers of the emulation confuse AddressSanitizer")
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        pytest.skip("needs g++, to compile the CUDA sources for the host")
    kernels = [HOST / "broken.cu"]
    if name == "scp":
        kernels = [*sorted(ROOT.glob("csrc/cuda/*.cu")), HOST / "probe.cu"]
    sources = [*sorted(HOST.glob("*.cpp")), *kernels]
    headers = [*HOST.glob("*.h"), *ROOT.glob("csrc/cuda/*.cuh"), *ROOT.glob("csrc/include/scp/*.h")]
    newest = max(p.stat().st_mtime for p in [*headers, Path(__file__)])
    out = ROOT / "build" / "cuda_host"
    out.mkdir(parents=True, exist_ok=True)

    def compile_one(source: Path) -> tuple[Path, bool]:
        target = out / f"{source.name}.o"
        if target.exists() and target.stat().st_mtime > max(newest, source.stat().st_mtime):
            return target, False
        beside = target.with_suffix(f".{os.getpid()}")
        command = [compiler, *FLAGS, "-x", "c++", "-c", str(source), "-o", str(beside)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        os.replace(beside, target)
        return target, True

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    library = out / f"lib{name}.so"
    if not library.exists() or any(fresh for _, fresh in objects):
        beside = library.with_suffix(f".{os.getpid()}")
        command = [compiler, "-shared", *(str(o) for o, _ in objects), "-o", str(beside)]
        subprocess.run(command, check=True)
        os.replace(beside, library)
    return library


# Where the device tests run: the emulation, and a GPU under `pytest -m cuda`.
PLACES = ["host", pytest.param("gpu", marks=pytest.mark.cuda)]


def use(place: str, request) -> str:
    """Makes scp.devices find that place, for one test; the name of the device."""
    from scp import devices

    patch = pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)
    if place == "host":
        patch.setenv("SCP_CUDA_LIBRARY", str(host_library("scp")))
    else:
        patch.delenv("SCP_CUDA_LIBRARY", raising=False)
    found = devices.devices()
    if not found:
        pytest.skip(f"no GPU: {devices.describe()[0]}")
    assert (found[0].name == "CUDA on the host") == (place == "host")
    return "cuda"
