"""Time to import scp in a fresh interpreter, beside numpy alone; size of the wheel.

python benchmarks/package.py [--repeat 11] [--wheel FILE] [--json]
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import arguments, finish, header

ROOT = Path(__file__).resolve().parent.parent


def import_seconds(module: str, repeat: int) -> float:
    """Median time of the import statement, each in an interpreter of its own."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    times = []
    for _ in range(repeat + 1):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        times.append(float(done.stdout))
    return statistics.median(times[1:])  # the first one fills the file cache


def wheel_bytes(given: str | None) -> int:
    """Size of the given wheel, or of one built now."""
    if given:
        return Path(given).stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
        subprocess.run(command, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.stat().st_size


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--wheel", help="measure this file instead of building one")
    options = parser.parse_args()
    header("import scp <= 0.3 s; wheel <= 5 MB")
    ours = import_seconds("scp", options.repeat)
    peer = import_seconds("numpy", options.repeat)
    size = wheel_bytes(options.wheel)
    print(f"import scp {ours:.3f} s (peer: numpy alone {peer:.3f} s), wheel {size / 1e6:.2f} MB")
    finish(options, ours, peer, wheel_bytes=size)


if __name__ == "__main__":
    main()
