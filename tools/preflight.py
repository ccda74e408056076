"""Says in one line what is missing to build scp, before anything long starts.

Run by make with the interpreter to be used. It must itself run on any Python, old ones too.
"""

import os
import sys


def main():
    version = "%d.%d" % sys.version_info[:2]
    if sys.version_info < (3, 11):
        return (
            "Python 3.11 or newer is needed, " + sys.executable + " is " + version + ": install "
            "python3.11 or newer, or name one: make PYTHON=/path/to/python3"
        )
    import shutil
    import sysconfig
    from importlib.util import find_spec

    package = "python%s-venv python%s-dev" % (version, version)
    if not (find_spec("ensurepip") and find_spec("venv")):
        return "this Python cannot make virtual environments: apt-get install " + package
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    if not os.path.exists(header):
        return "the headers of Python are missing (" + header + "): apt-get install " + package
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        return (
            "no C compiler (" + compiler + "): install one (Debian, Ubuntu: apt-get install gcc "
            "libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install), or name it: CC=..."
        )
    return None


if __name__ == "__main__":
    problem = main()
    if problem:
        sys.stderr.write("error: " + problem + "\n")
        sys.exit(1)
