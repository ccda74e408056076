"""What a release says of itself in several places is the same in all of them."""

import importlib.util
import re
import tomllib
import zipfile
from pathlib import Path

import pytest

import scp

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, WHEELS = PYPROJECT["project"], PYPROJECT["tool"]["cibuildwheel"]
RECIPE = (ROOT / "conda" / "recipe" / "recipe.yaml").read_text()
CONDA_NAMES = {"opencv-python-headless": "py-opencv"}


def test_the_changelog_begins_with_this_version():
    (first, *_) = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert re.fullmatch(
        rf"{re.escape(scp.__version__)} \((not released|\d{{4}}-\d\d-\d\d)\)", first
    )


def test_wheels_are_built_for_the_pythons_of_the_classifiers():
    named = re.findall(r":: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    assert [f"cp{version.replace('.', '')}-*" for version in named] == WHEELS["build"]
    assert PROJECT["requires-python"] == f">={named[0]}"
    variants = (ROOT / "conda" / "recipe" / "variants.yaml").read_text()
    assert re.findall(r'"(3\.\d+)\.\*"', variants) == named


def test_what_cibuildwheel_runs_is_there():
    commands = [WHEELS["audit-command"], *WHEELS["test-command"]]
    commands += [override["test-command"] for override in WHEELS["overrides"]]
    paths = re.findall(r"(?:\{project\}/|\s)((?:tests|tools)/[\w./]+)", " ".join(commands))
    assert len(paths) > 4
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_conda_recipe_is_that_of_the_package():
    assert re.findall(r'^  version: "(.*)"', RECIPE, re.MULTILINE) == [scp.__version__]
    assert f"  name: {PROJECT['name']}\n" in RECIPE
    assert f"  license: {PROJECT['license']}\n" in RECIPE
    assert f"  summary: {PROJECT['description']}\n" in RECIPE
    run = RECIPE.partition("\n  run:\n")[2].partition("\n\n")[0]
    wanted = [
        re.fullmatch(r"([\w-]+)>=([\d.]+)", text).groups() for text in PROJECT["dependencies"]
    ]
    wanted = [f"{CONDA_NAMES.get(name, name)} >={version}" for name, version in wanted]
    assert re.findall(r"- (.*)", run) == ["python", *wanted]
    host = RECIPE.partition("\n  host:\n")[2].partition("\n  run:\n")[0]
    built = [text.replace(">=", " >=") for text in PYPROJECT["build-system"]["requires"]]
    assert re.findall(r"- (.*)", host) == ["python", "pip", *built]


@pytest.fixture
def check_wheel():
    path = ROOT / "tools" / "check_wheel.py"
    spec = importlib.util.spec_from_file_location("check_wheel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_wheel_that_is_not_as_it_should_be_is_refused(check_wheel, tmp_path, monkeypatch):
    monkeypatch.setattr(check_wheel, "tracked", lambda: {"scp/a.py", "scp/b.css", "csrc/c.c"})

    def problems(*names: str) -> str:
        with zipfile.ZipFile(tmp_path / "made.whl", "w") as archive:
            for name in names:
                archive.writestr(name, b"0" * 100)
        return "; ".join(check_wheel.problems(tmp_path / "made.whl"))

    info = "sample_choosing_policy-1.dist-info/"
    good = ["scp/a.py", "scp/b.css", "scp/_core.cpython-311-x86_64-linux-gnu.so"]
    good += [info + "licenses/LICENSE", info + "METADATA"]
    assert problems(*good) == ""
    assert problems(*good, "scp/libscp_cuda.so") == ""
    assert problems(*good[1:]) == "lacks ['scp/a.py']"
    assert problems(*good, "csrc/c.c", "scp/left.pyc") == "holds ['csrc/c.c', 'scp/left.pyc']"
    assert problems(*good[:2], *good[3:]) == "has 0 compiled cores, not one"
    assert problems(*good[:3], good[4]) == "has no LICENSE"
    monkeypatch.setattr(check_wheel, "LIMIT", 600)
    assert re.fullmatch(r"has \d+ bytes, more than 600", problems(*good))
    with pytest.raises(SystemExit, match=r"made\.whl has"):
        check_wheel.main([str(tmp_path / "made.whl")])
