"""The package as a whole: what importing it costs, what it declares, and that both are true."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import scp
from scp import _core

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("cv2", "matplotlib", "jinja2", "tqdm", "pydicom", "torch", "scipy", "sklearn")


def test_import_loads_nothing_heavy():
    code = f"import scp, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_version_is_the_same_everywhere():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert scp.__version__ == declared
    assert f"\nversion: {declared}\n" in (ROOT / "CITATION.cff").read_text()
    try:
        installed = importlib.metadata.version("sample-choosing-policy")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed here")
    assert installed == declared


def test_the_package_under_test_is_the_expected_one():
    expected = os.environ.get("SCP_TEST_LOCATION")
    if not expected:
        pytest.skip("SCP_TEST_LOCATION is not set")
    for module in (scp, _core):
        assert Path(module.__file__).resolve().is_relative_to(Path(expected).resolve())


def test_package_is_marked_as_typed():
    assert Path(scp.__file__).with_name("py.typed").exists()


def test_folders_of_tests_mirror_the_package():
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name[0] not in "._"}
    packages = {p.parent.name for p in Path(scp.__file__).parent.glob("*/__init__.py")}
    others = {"benchmarks", "c", "core", "cuda", "cuda_host", "docs", "fuzz", "package", "support"}
    assert packages - {"reference"} <= folders <= packages | others  # twins: tests/core
    assert list((ROOT / "tests").glob("test_*.py")) == []


def test_infeasible_error_is_a_value_error():
    assert issubclass(_core.InfeasibleError, ValueError)


@pytest.mark.skipif(not (ROOT / "tools" / "preflight.py").exists(), reason="needs a checkout")
def test_a_missing_compiler_is_one_line():
    command = [sys.executable, str(ROOT / "tools" / "preflight.py")]
    environment = os.environ | {"CC": "no-such-compiler -pthread"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no C compiler (no-such-compiler): install one")


@pytest.mark.skipif(not (ROOT / ".pre-commit-config.yaml").exists(), reason="needs a checkout")
def test_pre_commit_pins_the_versions_of_the_lint_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"[\w-]+==[\d.]+", hooks)) == set(
        project["optional-dependencies"]["lint"]
    )
