"""Tries the installed package, in a folder of its own; which takes seconds.

python tools/try_wheel.py            # what needs no image: NumPy and tomli-w are enough
python tools/try_wheel.py --images   # and the way from images to a verified choice
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# All that the instruction sets compute must be the same bits: what is printed is compared.
CHOOSE = """
import numpy as np, scp
values = np.random.default_rng(0).random((40, 300))
choice = scp.select(values, 3, method="exact", random_state=0)
again = scp.verify(values, choice)  # the score; what is wrong with the choice is an error
assert abs(again - choice.score) < 1e-9 and choice.upper_bound >= choice.score, (again, choice)
print(choice.selected.tolist(), choice.score.hex())
"""


def scp(*words: str, folder: Path, **environment: str) -> str:
    command = [sys.executable, "-I", *words]
    settings = os.environ | environment
    return subprocess.run(
        command, cwd=folder, env=settings, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def main(arguments: list[str]) -> None:
    if unknown := set(arguments) - {"--images"}:
        raise SystemExit(f"error: unknown {sorted(unknown)}\n\n{__doc__}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        code = "import scp, sys; assert 'scp._testing' not in sys.modules; print(scp.__file__)"
        print(scp("-c", code, folder=folder), end="")
        told = json.loads(scp("-m", "scp", "info", "--json", folder=folder))
        sets = told["instruction sets"].split(", ")
        answers = {name: scp("-c", CHOOSE, folder=folder, SCP_ISA=name) for name in sets}
        assert len(set(answers.values())) == 1, answers
        print(
            f"scp {told['scp']}: {', '.join(sets)} choose the same: {answers['portable']}", end=""
        )
        scp("-m", "scp", "demo", "--help", folder=folder)
        if "--images" in arguments:
            quick = ["-n", "8", "-m", "2", "--steps", "0", "--quiet"]
            print(scp("-m", "scp", "demo", *quick, "--run", "demo", folder=folder), end="")
            print(scp("-m", "scp", "verify", "demo", folder=folder), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
