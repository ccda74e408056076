"""Builds the source distribution and from it the wheel, and tries the wheel where nothing else is.

make package runs it with the interpreter of .venv. Everything happens below build/package.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 5 * 2**20  # bytes of a wheel


def run(*command: object, cwd: Path = ROOT) -> None:
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def tracked() -> set[str]:
    """The files of the repository, as git knows them."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def main() -> None:
    out = ROOT / "build" / "package"
    shutil.rmtree(out, ignore_errors=True)
    run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", out)
    with tarfile.open(only(out, "*.tar.gz")) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    needed = {f for f in tracked() if f.startswith(("csrc/", "scp/", "tests/", "benchmarks/"))}
    needed |= {"setup.py", "pyproject.toml", "LICENSE", "README.md", "Makefile"}
    if missing := sorted(needed - inside):
        raise SystemExit(f"error: the source distribution lacks {missing}")

    # With build isolation: proves that pyproject.toml names all that a build needs.
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out, only(out, "*.tar.gz"))
    wheel = only(out, "*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    if foreign := [n for n in names if not n.startswith(("scp/", "sample_choosing_policy-"))]:
        raise SystemExit(f"error: the wheel holds {foreign}")
    python_files = {f for f in tracked() if f.startswith("scp/")}
    if missing := sorted(python_files - set(names)):
        raise SystemExit(f"error: the wheel lacks {missing}")
    size = wheel.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"error: {wheel.name} has {size} bytes, more than {LIMIT}")
    print(f"{wheel.name}: {size} bytes, {len(names)} files")

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder)
        venv.create(empty / "env", with_pip=True, symlinks=True)
        python = empty / "env" / "bin" / "python"
        run(python, "-m", "pip", "install", "-q", wheel, cwd=empty)
        code = (
            "import scp; from scp import _core; print(scp.__version__, scp.__file__, _core.isa())"
        )
        run(python, "-c", code, cwd=empty)
        code = "import scp, sys; sys.exit('scp._testing' in sys.modules)"  # for development only
        run(python, "-c", code, cwd=empty)
        run(empty / "env" / "bin" / "scp", "--help", cwd=empty)


if __name__ == "__main__":
    main()
