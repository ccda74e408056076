"""What this machine can do at most: float32 multiply-adds and memory traffic, measured.

A limit is a maximum: `Limits.sample` runs short bursts, called at many moments of a benchmark, and
the best of each counts, so that other work on the machine does not lower what is stated.
"""

import ctypes
import subprocess
import tempfile
import threading
import time
from pathlib import Path

# Independent chains of fused multiply-adds in the widest registers; a copy past the caches.
SOURCE = r"""
#include <immintrin.h>
#include <stddef.h>
#ifdef __AVX512F__
#define VECTOR __m512
#define SET _mm512_set1_ps
#else
#define VECTOR __m256
#define SET _mm256_set1_ps
#endif
#define S(n) __asm__ volatile("vfmadd231ps %1,%1,%0" : "+v"(a##n) : "v"(x));
void spin(void *unused, void *unused_too, size_t n) {
    VECTOR x = SET(.5f), a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x,
           a9 = x, a10 = x, a11 = x;
    for (; n > 0; n--) {S(0) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8) S(9) S(10) S(11)}
}
void copy(float *to, const float *from, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        const __m256 a = _mm256_loadu_ps(from + i), b = _mm256_loadu_ps(from + i + 8);
        _mm256_stream_ps(to + i, a);
        _mm256_stream_ps(to + i + 8, b);
    }
    _mm_sfence();
}
"""
STEPS = 400_000  # of a burst: 12 instructions each, some 2 ms
FLOATS = 1 << 23  # copied by a thread in a burst: 32 MiB, more than its share of the caches


class Limits:
    """peak: GFLOP/s of fused multiply-adds, bandwidth: GB/s read and written, of all threads
    together; NaN where they cannot be measured (no C compiler, no AVX2)."""

    def __init__(self, threads: int):
        self.threads, self.peak, self.bandwidth = threads, float("nan"), float("nan")
        self.library = None
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "limits.c"), Path(folder, "limits.so")
            source.write_text(SOURCE)
            info = Path("/proc/cpuinfo")
            flags = info.read_text().split() if info.exists() else []
            self.lanes = 16 if "avx512f" in flags else 8
            target = ["-mavx512f"] if self.lanes == 16 else ["-mfma", "-mavx2"]
            command = ["cc", "-O2", *target, "-shared", "-fPIC", source, "-o", library]
            try:
                built = subprocess.run(command, capture_output=True, check=False).returncode == 0
            except OSError:
                built = False
            if built and "avx2" in flags:
                self.library = ctypes.CDLL(str(library))
        if self.library:
            import numpy as np

            aligned = lambda: np.ones(FLOATS + 16, np.float32)  # noqa: E731
            self.maps = [(aligned(), aligned()) for _ in range(threads)]
            self.sample(10)

    def _burst(self, name: str, count: int) -> float:
        """Seconds in which every thread has called that function once."""
        function = getattr(self.library, name)
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        line = lambda a: (a.ctypes.data + 63) // 64 * 64  # noqa: E731
        gate = threading.Barrier(self.threads)
        begins, ends = [0.0] * self.threads, [0.0] * self.threads

        def work(i):
            to, source = (line(a) for a in self.maps[i])
            gate.wait()
            begins[i] = time.perf_counter()
            function(to, source, count)
            ends[i] = time.perf_counter()

        workers = [threading.Thread(target=work, args=(i,)) for i in range(self.threads)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        return max(ends) - min(begins)

    def sample(self, bursts: int = 3) -> None:
        """Measures again; the best of all samples counts."""
        if not self.library:
            return
        for _ in range(bursts):
            flops = self.threads * STEPS * 24 * self.lanes / self._burst("spin", STEPS) / 1e9
            bytes_ = self.threads * FLOATS * 8 / self._burst("copy", FLOATS) / 1e9
            self.peak = max(flops, self.peak) if self.peak == self.peak else flops
            self.bandwidth = (
                max(bytes_, self.bandwidth) if self.bandwidth == self.bandwidth else (bytes_)
            )

    def bound(self, flop: float, moved: float) -> float:
        """GFLOP/s that neither limit allows to exceed: `flop` operations on `moved` bytes."""
        return min(self.peak, self.bandwidth * flop / moved)
