"""Builds scp._core. Metadata lives in pyproject.toml; this file only describes the extension.

Switches (environment): SCP_DEBUG=1 (assertions, -O1 -g), SCP_SANITIZE=address,undefined (or
thread), SCP_CUDA=auto|0|1 (no CUDA sources yet: 1 is an error), SCP_JOBS=n (compilers at once;
default: all CPUs).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

root = Path(__file__).parent
sources = sorted(p.relative_to(root).as_posix() for p in (root / "csrc").glob("*/*.c"))
headers = sorted(p.relative_to(root).as_posix() for p in (root / "csrc").rglob("*.h"))

# No fused multiply-add and no fast-math: results are the same bits on every instruction set.
flags = ["-std=c11", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]
links = ["-lm", "-pthread"]
if os.environ.get("SCP_DEBUG", "0") not in ("", "0"):
    flags += ["-O1", "-g", "-UNDEBUG"]
else:
    flags += ["-O3", "-DNDEBUG", "-g0"]
if sanitize := os.environ.get("SCP_SANITIZE"):
    flags += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-g"]
    links += [f"-fsanitize={sanitize}"]
cuda = os.environ.get("SCP_CUDA", "auto")
if cuda not in ("auto", "0", "1"):
    raise SystemExit(f"SCP_CUDA must be auto, 0 or 1, got {cuda!r}")
if cuda == "1":
    raise SystemExit("SCP_CUDA=1: this version has no CUDA kernels; build with SCP_CUDA=0")
jobs = os.environ.get("SCP_JOBS") or str(os.cpu_count() or 1)
if not jobs.isdecimal() or int(jobs) < 1:
    raise SystemExit(f"SCP_JOBS must be a number above 0, got {jobs!r}")


class ParallelBuild(build_ext):
    """Compiles the sources of the extension side by side."""

    def build_extensions(self):
        compile_some = self.compiler.compile

        def compile_all(sources, **options):
            with ThreadPoolExecutor(int(jobs)) as pool:
                lists = pool.map(lambda source: compile_some([source], **options), sources)
                return [name for names in lists for name in names]

        self.compiler.compile = compile_all
        super().build_extensions()


setup(
    cmdclass={"build_ext": ParallelBuild},
    ext_modules=[
        Extension(
            "scp._core",
            sources=sources,
            depends=headers,
            include_dirs=["csrc/include", numpy.get_include()],
            extra_compile_args=flags,
            extra_link_args=links,
        )
    ],
)
