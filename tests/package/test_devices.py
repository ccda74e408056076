"""Choosing a device, and saying why there is none."""

import os
import subprocess
import sys
from pathlib import Path

import cudabuild
import numpy as np
import pytest

from scp import SimilarityJob, TemplateSelector, _core, devices, select
from scp.cli import main


@pytest.fixture
def no_gpu(monkeypatch, tmp_path):
    """A library that is not there: as on a machine where nothing was built."""
    monkeypatch.setenv("SCP_CUDA_LIBRARY", str(tmp_path / "none.so"))


def test_names_of_devices(no_gpu):
    assert devices.resolve("cpu") == devices.resolve("auto") == -1
    for name in ("gpu", "cuda:", "cuda:x", "cpu:0", "auto:1", "", "cuda:-1"):
        with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:NUMBER"):
            devices.resolve(name)
    with pytest.raises(TypeError, match="device"):
        devices.resolve(0)
    with pytest.raises(RuntimeError, match=r"device 'cuda:1' cannot be used: .*none\.so"):
        devices.resolve("cuda:1")


def test_the_reason_is_one_line(no_gpu, capsys):
    assert main(["select", "nowhere", "--device", "cuda"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("error: device 'cuda' cannot be used: ")
    assert main(["info"]) == 0
    out, err = capsys.readouterr()
    (line,) = [line for line in out.splitlines() if line.startswith("gpu")]
    assert "not used: " in line and err == ""


def test_without_a_gpu_auto_works_and_cuda_says_why(no_gpu):
    values = np.eye(4, dtype=np.float32)
    assert select(values, 2, device="auto").m == 2
    for call in (
        lambda: select(values, 2, device="cuda"),
        lambda: TemplateSelector(n_templates=2, device="cuda").fit(values),
        lambda: SimilarityJob(lambda i: None, 1, [np.zeros((0, 2))], None, device="cuda"),
    ):
        with pytest.raises(RuntimeError, match="device 'cuda' cannot be used"):
            call()


def test_a_build_without_kernels_says_so(monkeypatch):
    monkeypatch.delenv("SCP_CUDA_LIBRARY", raising=False)
    monkeypatch.setattr(devices, "LIBRARY", "not_built.so")
    assert devices.devices() == []
    assert devices.describe() == [
        "not used: this build of scp has no CUDA kernels "
        "(nvcc was not found; see docs/how-to/gpu.md)"
    ]


def test_a_library_of_another_version_is_refused():
    library = Path(_core.__file__)  # a shared library, but no plug-in
    with pytest.raises(OSError, match="is of another version of scp"):
        _core.cuda_open(library)
    with pytest.raises(OSError, match=r"none\.so"):
        _core.cuda_open("/none.so")


def test_a_library_that_cannot_be_opened_gives_no_devices(monkeypatch):
    monkeypatch.setenv("SCP_CUDA_LIBRARY", "/none.so")
    assert devices.devices() == []
    assert "none.so" in devices.describe()[0]
    for name in ("cuda:²", "cuda:" + "9" * 5000, "cuda:-1", "cuda:", "cpu:0"):
        with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:NUMBER"):
            devices.resolve(name)


def test_a_device_that_does_not_exist(request):
    cudabuild.use("host", request)
    with pytest.raises(ValueError, match="device 'cuda:7' does not exist; there is cuda:0"):
        devices.resolve("cuda:7")
    assert devices.resolve("cuda") == devices.resolve("cuda:0") == devices.resolve("auto") == 0
    (line,) = devices.describe()
    assert line.startswith("cuda:0: CUDA on the host, compute capability 8.0, 1 multiprocessors")


def test_import_opens_no_library(tmp_path):
    environment = os.environ | {"SCP_CUDA_LIBRARY": str(tmp_path / "none.so")}
    code = "import scp; print('libscp_cuda' in open('/proc/self/maps').read())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_the_whole_path_on_a_device_writes_the_same_files(request, tmp_path, capsys):
    cudabuild.use("host", request)
    command = ["demo", "-n", "3", "-m", "2", "--minutes", "0", "--size", "64", "--channels", "16"]
    command += ["--count", "6", "--features", "gradient", "--no-report", "--quiet"]
    for device in ("cpu", "cuda"):
        assert main([*command, "--device", device, "--run", str(tmp_path / device)]) == 0
    capsys.readouterr()
    for name in ("similarity.npy", "places.npy", "selection.json"):
        assert (tmp_path / "cpu" / name).read_bytes() == (tmp_path / "cuda" / name).read_bytes()
