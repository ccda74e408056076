"""What a wheel may hold and how large it may be.

    python tools/check_wheel.py FILE.whl...

`make package` checks its wheel with it, and cibuildwheel each wheel before it is kept.
"""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 5 * 2**20  # bytes
COMPILED = re.compile(r"scp/_core\.[\w.-]+\.so")


def tracked() -> set[str]:
    """The files of the repository, as git knows them."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def problems(wheel: Path) -> list[str]:
    """What is wrong with a wheel, a line each."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    inside = {name for name in names if not name.startswith("sample_choosing_policy-")}
    needed = {name for name in tracked() if name.startswith("scp/")}
    built = {name for name in inside if COMPILED.fullmatch(name)}
    found = []
    if missing := sorted(needed - inside):
        found.append(f"lacks {missing}")
    if foreign := sorted(inside - needed - built - {"scp/libscp_cuda.so"}):
        found.append(f"holds {foreign}")
    if len(built) != 1:
        found.append(f"has {len(built)} compiled cores, not one")
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        found.append("has no LICENSE")
    if (size := wheel.stat().st_size) > LIMIT:
        found.append(f"has {size} bytes, more than {LIMIT}")
    return found


def main(wheels: list[str]) -> None:
    if not wheels:
        raise SystemExit(__doc__)
    for wheel in map(Path, wheels):
        if found := problems(wheel):
            raise SystemExit("\n".join(f"error: {wheel.name} {line}" for line in found))
        print(f"{wheel.name}: {wheel.stat().st_size} bytes, as it should be")


if __name__ == "__main__":
    main(sys.argv[1:])
