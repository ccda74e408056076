"""Whether what scp promises to typed code (py.typed) is there: every name that a public module
exports has a complete type; tests/package/typed_use.py passes the strict checks of pyright and,
with the Python of the README, those of mypy.

make types runs it with the interpreter of .venv.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "tests" / "package" / "typed_use.py"
MODULES = (
    "scp",
    "scp.datasets",
    "scp.detection",
    "scp.devices",
    "scp.evaluation",
    "scp.evaluation.metrics",
    "scp.keypoints",
    "scp.landmarks",
    "scp.networks",
    "scp.refinement",
    "scp.report",
)
# A type that is inferred from the right-hand side is complete enough.
EXCUSED = ("Type is missing type annotation and could be", "Ambiguous base class override")


def pyright(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def exported() -> set[str]:
    """Full names of what the public modules export: where it is defined."""
    sys.path.insert(0, str(ROOT))
    names = set()
    for module in map(importlib.import_module, MODULES):
        own = [n for n in vars(module) if not n.startswith("_")]
        for name in getattr(module, "__all__", own):
            home = getattr(getattr(module, name), "__module__", None)
            if home and home.startswith("scp."):
                names.add(f"{home}.{name}")
    return names


def incomplete(names: set[str]) -> list[str]:
    """One line for each missing or partial type of these names and their members."""
    done = pyright("--verifytypes", "scp", "--ignoreexternal", "--outputjson")
    try:
        symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    except (ValueError, KeyError):
        raise SystemExit(f"error: pyright: {done.stdout}{done.stderr}") from None
    known = {symbol["name"] for symbol in symbols}
    if missing := sorted(name for name in names if name not in known):
        raise SystemExit(f"error: pyright does not know {missing}")
    lines = set()
    for symbol in symbols:
        if not any(symbol["name"] == n or symbol["name"].startswith(f"{n}.") for n in names):
            continue
        for found in symbol["diagnostics"]:
            text = found["message"]
            elsewhere = "partially unknown" in text and "Type argument" not in text  # told there
            if found["severity"] == "error" and not text.startswith(EXCUSED) and not elsewhere:
                place = Path(found["file"]).relative_to(ROOT) if found["file"] else "scp"
                line = found.get("range", {"start": {"line": 0}})["start"]["line"] + 1
                lines.add(f"{place}:{line}: {symbol['name']}: {text}")
    return sorted(lines)


def readme() -> str:
    """The Python of the README, as a reader would paste it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def mypy() -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        pasted = Path(folder, "readme.py")
        pasted.write_text(readme(), encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder, pasted, EXAMPLE]
        return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True)


def main() -> None:
    names = exported()
    lines = incomplete(names)
    print(*lines, sep="\n", end="\n" if lines else "")
    example = pyright("--project", EXAMPLE.with_name("pyrightconfig.json"))
    print(example.stdout.strip())
    strict = mypy()
    print(strict.stdout.strip())
    if lines or example.returncode or strict.returncode:
        raise SystemExit(f"error: {len(lines)} incomplete types, or an error in {EXAMPLE.name}")
    print(f"{len(names)} exported names have complete types")


if __name__ == "__main__":
    main()
