"""Builds the source distribution and from it the wheel, and tries the wheel where nothing else is.

make package runs it with the interpreter of .venv. Everything happens below build/package.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from pathlib import Path

import check_wheel
from check_wheel import ROOT, tracked

LIMIT = 5 * 2**20  # bytes of the source distribution
# What a build needs and readers look for. No images, models or run folders but those of tests.
FOLDERS = ("benchmarks/", "conda/", "csrc/", "docs/", "notebooks/", "scp/", "tests/", "tools/")
MADE = ("PKG-INFO", "setup.cfg", "sample_choosing_policy.egg-info/")


def run(*command: object, cwd: Path = ROOT, **settings: str) -> None:
    words = [str(part) for part in command]
    subprocess.run(words, cwd=cwd, env=os.environ | settings, check=True)


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def check_source(path: Path) -> None:
    """The source distribution has all that is tracked in FOLDERS, and nothing else that is not."""
    with tarfile.open(path) as archive:
        inside = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    files = tracked()
    needed = {f for f in files if f.startswith(FOLDERS)}
    needed |= {"setup.py", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "Makefile"}
    if missing := sorted(needed - inside):
        raise SystemExit(f"error: the source distribution lacks {missing}")
    if foreign := sorted(f for f in inside - files if not f.startswith(MADE)):
        raise SystemExit(f"error: the source distribution holds {foreign}, which git does not know")
    size = path.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"error: {path.name} has {size} bytes, more than {LIMIT}")
    print(f"{path.name}: {size} bytes, {len(inside)} files")


def only_a_c_compiler(folder: Path) -> dict[str, str]:
    """A PATH on which nothing but a C compiler is: no C++, no git. On Linux, where we know what a
    compiler calls. SCP_CUDA: nvcc is found in /usr/local/cuda, too."""
    if sys.platform != "linux":
        return {}
    folder.mkdir()
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    for program in {"cc", "as", "ld", compiler}:
        if found := shutil.which(program):
            (folder / Path(program).name).symlink_to(found)
    return {"PATH": str(folder), "SCP_CUDA": "0"}


def main() -> None:
    out = ROOT / "build" / "package"
    shutil.rmtree(out, ignore_errors=True)
    run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", out)
    source = only(out, "*.tar.gz")
    check_source(source)

    # With build isolation: proves that pyproject.toml names all that a build needs.
    alone = only_a_c_compiler(out / "bin")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out, source, **alone)
    wheel = only(out, "*.whl")
    check_wheel.main([str(wheel)])

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder)
        venv.create(empty / "env", with_pip=True, symlinks=True)
        python = empty / "env" / "bin" / "python"
        run(python, "-m", "pip", "install", "-q", wheel, cwd=empty)
        run(python, ROOT / "tools" / "try_wheel.py", "--images", cwd=empty)
        run(empty / "env" / "bin" / "scp", "--version", cwd=empty)


if __name__ == "__main__":
    main()
