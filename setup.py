"""Builds scp._core. Metadata lives in pyproject.toml; this file only describes the extension.

Switches (environment): SCP_DEBUG=1 (assertions, -O1 -g), SCP_SANITIZE=address,undefined (or
thread), SCP_CUDA=auto|0|1 (the plug-in scp/libscp_cuda.so: where nvcc is found; never; or fail),
SCP_CUDA_ARCHS="80 90" (compute capabilities; the last one also as PTX for newer GPUs), SCP_JOBS=n
(compilers at once; default: all CPUs), SCP_TESTING=0|1 (the module scp._testing, for tests and
benchmarks, inside scp._core; default: in editable and in-place builds only).
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

root = Path(__file__).parent
sources = sorted(p.relative_to(root).as_posix() for p in (root / "csrc").glob("*/*.c"))
testing = [source for source in sources if source.startswith("csrc/testing/")]
headers = sorted(p.relative_to(root).as_posix() for p in (root / "csrc").rglob("*.h"))

# No fused multiply-add and no fast-math: results are the same bits on every instruction set.
flags = ["-std=c11", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]
links = ["-lm", "-pthread", "-ldl"]
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
jobs = os.environ.get("SCP_JOBS") or str(os.cpu_count() or 1)
if not jobs.isdecimal() or int(jobs) < 1:
    raise SystemExit(f"SCP_JOBS must be a number above 0, got {jobs!r}")


class ParallelBuild(build_ext):
    """Compiles the sources of the extension side by side."""

    def run(self):
        development = self.inplace or getattr(self, "editable_mode", False)
        (core,) = self.extensions
        if os.environ.get("SCP_TESTING", str(int(development))) not in ("", "0"):
            core.sources = core.sources + testing
            core.define_macros = [("SCP_TESTING", "1")]
        # Other switches than those of the last build: as if the sources had changed.
        stamp = Path(self.build_temp, "switches")
        switches = repr((flags, links, core.define_macros))
        if not stamp.exists() or stamp.read_text() != switches:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(switches)
        core.depends = [*headers, str(stamp)]
        super().run()

    def build_extensions(self):
        compile_some = self.compiler.compile

        def compile_all(sources, **options):
            with ThreadPoolExecutor(int(jobs)) as pool:
                lists = pool.map(lambda source: compile_some([source], **options), sources)
                return [name for names in lists for name in names]

        self.compiler.compile = compile_all
        super().build_extensions()
        if cuda != "0":
            self.build_plugin()

    def copy_extensions_to_source(self):
        super().copy_extensions_to_source()
        built = Path(self.build_lib, "scp", "libscp_cuda.so")
        if cuda != "0" and built.exists():
            beside = root / "scp" / f"{built.name}.new"  # a running program may have it open
            shutil.copy2(built, beside)
            os.replace(beside, root / "scp" / built.name)

    def build_plugin(self):
        """scp/libscp_cuda.so: the runtime inside, no CUDA library needed to load it."""
        homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
        places = [shutil.which(Path(home, "bin", "nvcc")) for home in homes if home]
        nvcc = next((p for p in [places[0], shutil.which("nvcc"), *places] if p), None)
        out = Path(self.get_ext_fullpath("scp._core")).with_name("libscp_cuda.so")
        if nvcc is None:
            if cuda == "1":
                raise SystemExit("SCP_CUDA=1: no nvcc in CUDA_HOME, on PATH or in /usr/local/cuda")
            print("scp: built without CUDA kernels (no nvcc)")
            return
        kernels = sorted((root / "csrc" / "cuda").glob("*.cu"))
        inputs = [Path(__file__), *kernels, *(root / "csrc" / "cuda").glob("*.cuh")]
        inputs += (root / "csrc" / "include" / "scp").glob("*.h")
        if out.exists() and out.stat().st_mtime > max(p.stat().st_mtime for p in inputs):
            return
        archs = os.environ.get("SCP_CUDA_ARCHS", "80 90").split()
        codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in archs]
        codes.append(f"-gencode=arch=compute_{archs[-1]},code=compute_{archs[-1]}")
        objects = Path(self.build_temp, "cuda").absolute()
        objects.mkdir(parents=True, exist_ok=True)
        # No fused multiply-add: as above.
        command = [nvcc, "-std=c++17", "-O3", "--fmad=false", "-cudart", "static", *codes]
        command += ["-Icsrc/include", "-Xcompiler", "-fPIC,-fvisibility=hidden,-Wall,-Wextra"]

        def compile_one(source):
            target = objects / f"{source.stem}.o"
            subprocess.run([*command, "-c", source, "-o", target], cwd=root, check=True)
            return target

        try:
            with ThreadPoolExecutor(int(jobs)) as pool:
                made = list(pool.map(compile_one, kernels))
            beside = out.with_suffix(".new")
            links = [
                "-shared",
                *made,
                "-Xcompiler",
                "-static-libgcc,-static-libstdc++",
                "-Xlinker",
                "--exclude-libs,ALL,--no-undefined",
            ]
            subprocess.run([*command, *links, "-o", beside.absolute()], cwd=root, check=True)
            os.replace(beside, out)
        except subprocess.CalledProcessError as error:
            if cuda == "1":
                raise SystemExit(f"SCP_CUDA=1: {error}") from None
            print(f"scp: built without CUDA kernels ({error})")


setup(
    cmdclass={"build_ext": ParallelBuild},
    ext_modules=[
        Extension(
            "scp._core",
            sources=[source for source in sources if source not in testing],
            depends=headers,
            include_dirs=["csrc/include", numpy.get_include()],
            extra_compile_args=flags,
            extra_link_args=links,
        )
    ],
)
