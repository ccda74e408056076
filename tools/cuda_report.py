"""What the compiler says of the CUDA kernels, and what data sheets promise: the tables of
docs/lab/gpu.md. Needs nvcc and nvdisasm (pip install nvidia-cuda-nvdisasm); no GPU.

    python tools/cuda_report.py --nvdisasm PATH [--write]

--write replaces the part of docs/lab/gpu.md between the two "report" marks.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "lab" / "gpu.md"
MARKS = "<!-- report: tools/cuda_report.py --write -->", "<!-- end of report -->"
ARCHS = (80, 90)
REGISTERS, WARPS = 65536, 64  # of a multiprocessor, both architectures
SHARED = {80: 164 * 1024, 90: 228 * 1024}
THREADS = {"screen": 128, "refine": 128, "spread": 128, "sum": 32}  # the others: 256

# Data sheets and architecture white papers: A100 SXM 80 GB, H100 SXM.
DEVICES = {
    "A100": {
        "bf16": 312e12,
        "f64": 9.7e12,
        "memory": 2.04e12,
        "bus": 32e9,
        "sms": 108,
        "tensor": 2048,
        "cache": 5120 * 1.41e9,
    },
    "H100": {
        "bf16": 989e12,
        "f64": 33.5e12,
        "memory": 3.35e12,
        "bus": 64e9,
        "sms": 132,
        "tensor": 4096,
        "cache": 5120 * 1.76e9,
    },
}
Q, IMAGES, LEVELS, CHANNELS, ROOTS = 14_717, 150, 5, 64, 144  # the cephalograms of the benchmarks


def shared_bytes(name: str, arguments: list[int]) -> int:
    """Dynamic shared memory at five levels (csrc/cuda/screen.cu, refine.cu)."""
    if name == "refine":
        return 4 * 9 * 8 * 4
    if name != "screen":
        return 0
    _, tiles, per_level = arguments
    return 4 * 512 * 16 + (LEVELS if per_level else 4 * (LEVELS - 3) + 1) * 2 * tiles * 128 * 4


def occupancy(arch: int, registers: int, threads: int, shared: int) -> int:
    """Warps of a multiprocessor that can be at work, in percent."""
    warps = threads // 32
    per_warp = (registers * 32 + 255) // 256 * 256
    blocks = min(REGISTERS // per_warp // warps, WARPS // warps, 32)
    return 100 * min(blocks, SHARED[arch] // (shared + 1024)) * warps // WARPS


def kernel_name(symbol: str) -> tuple[str, list[int]]:
    """_Z13screen_kernelILi64ELi4ELb0EE... -> screen, [64, 4, 0]."""
    name = re.match(r"_Z\d+(\w+?)_kernel", symbol).group(1)
    return name, [int(v) for v in re.findall(r"L[ib](\d+)E", symbol)]


def inner_loop(text: str) -> tuple[int, int]:
    """Instructions and tensor core products of the smallest loop that holds most products."""
    labels, line, loops = {}, [], []
    for row in text.splitlines():
        if label := re.match(r"(\.L_x_\d+):", row):
            labels[label.group(1)] = len(line)
        elif op := re.match(r"\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]+)", row):
            line.append(op.group(1))
            target = re.search(r"BRA.*(\.L_x_\d+)", row)
            if target and target.group(1) in labels:
                first = labels[target.group(1)]
                products = sum(op.startswith("HMMA") for op in line[first:])
                loops.append((-products, len(line) - first))
    products, size = min(loops, default=(0, 0))
    return size, -products


def compile_one(source: Path, arch: int, nvdisasm: str, folder: Path) -> list[dict]:
    cubin = folder / f"{source.stem}.{arch}.cubin"
    command = ["nvcc", "-std=c++17", "-O3", "--fmad=false", f"-I{ROOT / 'csrc' / 'include'}"]
    command += [f"-arch=sm_{arch}", "-cubin", "-Xptxas", "-v", "-o", str(cubin), str(source)]
    log = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = {}
    for part in log.split("Compiling entry function '")[1:]:
        symbol = part.partition("'")[0]
        spills = [int(v) for v in re.findall(r"(\d+) bytes spill", part)]
        found[symbol] = {
            "registers": int(re.search(r"Used (\d+) registers", part).group(1)),
            "spills": sum(spills),
        }
    sass = subprocess.run([nvdisasm, str(cubin)], check=True, capture_output=True, text=True)
    for part in re.split(r"\n\.text\.", sass.stdout)[1:]:
        symbol = part.partition(":")[0]
        operations = re.findall(r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]+)", part, re.M)
        found[symbol]["sass"] = Counter(operations)
        found[symbol]["loop"] = inner_loop(part)
    return [{"symbol": s, "arch": arch, **values} for s, values in found.items()]


def kernels_table(rows: list[dict]) -> list[str]:
    out = [
        "| kernel | arch | registers | spills | shared, bytes | occupancy | tensor core "
        "(HMMA) | 16-byte loads (LDG, LDGSTS, LDSM) | instructions |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name, arguments = kernel_name(row["symbol"])
        shared = shared_bytes(name, arguments)
        sass = row["sass"]
        wide = [
            sum(n for op, n in sass.items() if re.match(kind, op))
            for kind in (r"LDG\..*128", r"LDGSTS.*128", r"LDSM.*M88\.4")
        ]
        tensor = sum(n for op, n in sass.items() if op.startswith("HMMA"))
        share = occupancy(row["arch"], row["registers"], THREADS.get(name, 256), shared)
        text = f"{name}{arguments or ''}"
        out.append(
            f"| {text} | sm_{row['arch']} | {row['registers']} | {row['spills']} | {shared} | "
            f"{share} % | {tensor or ''} | {', '.join(map(str, wide)) if any(wide) else ''} | "
            f"{sum(sass.values())} |"
        )
    return out


def roofline(rows: list[dict]) -> list[str]:
    groups = 1 + sum(4**d for d in range(LEVELS - 1))
    quads, tiles = ROOTS // 4, (Q + 15) // 16
    flops = 2 * CHANNELS * tiles * 16 * quads * groups * 16
    useful = 2 * CHANNELS * Q * sum(ROOTS * 4**d for d in range(LEVELS))
    cells = sum(ROOTS * 4**d for d in range(LEVELS))
    stream, vectors = quads * groups * 16 * CHANNELS * 2, Q * LEVELS * CHANNELS * 2
    bounds = Q * ROOTS * 4
    screen = {
        r["arch"]: r["loop"] for r in rows if kernel_name(r["symbol"]) == ("screen", [64, 4, 0])
    }
    out = [
        "| work | operations | bytes | A100 | H100 |",
        "|---|---|---|---|---|",
    ]

    def line(name, operations, size, times):
        out.append(f"| {name} | {operations} | {size} | {times['A100']} | {times['H100']} |")

    def ms(seconds):
        return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-4 else f"{1e6 * seconds:.3g} us"

    both = DEVICES.items()
    features = cells * (CHANNELS + 1) * 4
    line(
        "an image to the device (PCIe)",
        "",
        f"{features / 1e6:.1f} MB",
        {k: ms(features / d["bus"]) for k, d in both},
    )
    line(
        "check and pack",
        "",
        f"{(2 * features + stream) / 1e6:.1f} MB",
        {k: ms((2 * features + stream) / d["memory"]) for k, d in both},
    )
    size = stream + vectors + bounds
    line(
        "screen, at the peak",
        f"{flops / 1e9:.1f} GFLOP bf16",
        f"{size / 1e6:.1f} MB",
        {k: ms(max(flops / d["bf16"], size / d["memory"])) for k, d in both},
    )
    line("screen, at 55 % of it", "", "", {k: ms(flops / d["bf16"] / 0.55) for k, d in both})
    scores = 100_000
    reads, sums = scores * 5 * Q * 4, scores * Q * 2
    line(
        "100,000 draws of 5",
        f"{sums / 1e9:.1f} GFLOP f64",
        f"{reads / 1e9:.1f} GB from L2",
        {k: ms(max(reads / d["cache"], sums / d["f64"])) for k, d in both},
    )
    matrix = IMAGES * Q * 4
    for name in (
        "gains of all rows (greedy)",
        "sums of excess (ascent), a step",
        "exchanges of all rows (swap)",
    ):
        line(
            name,
            f"{3 * IMAGES * Q / 1e6:.0f} MFLOP",
            f"{matrix / 1e6:.1f} MB from L2",
            {k: ms(matrix / d["cache"]) for k, d in both},
        )
    out += [
        "",
        f"The screen multiplies {flops / useful:.3f} times what the definition needs (level 0 is "
        "repeated). It is bound by the tensor cores: "
        f"{flops / size:,.0f} operations per byte of device memory, where the ridge lies at "
        f"{312e12 / 2.04e12:.0f} (A100) and {989e12 / 3.35e12:.0f} (H100).",
    ]
    for arch, (name, device) in zip(ARCHS, DEVICES.items(), strict=True):
        size, products = screen[arch]
        clocks = 4096 / (device["tensor"] / 4)
        out.append(
            f"{name}: a tensor core product takes {clocks:.0f} clocks of its quarter of a "
            f"multiprocessor. The loop over a unit has {products} products and {size} "
            f"instructions, paths not taken included: {size / products:.1f} issue slots a product, "
            f"enough for {min(100, 100 * clocks * products / size):.0f} % of the peak at least."
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nvdisasm", default=shutil.which("nvdisasm"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.nvdisasm is None:
        raise SystemExit("error: no nvdisasm; pip install nvidia-cuda-nvdisasm and name it")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted((ROOT / "csrc" / "cuda").glob("*.cu")):
            if "__global__" in source.read_text():
                for arch in ARCHS:
                    rows += compile_one(source, arch, options.nvdisasm, Path(folder))
    rows.sort(key=lambda row: (*kernel_name(row["symbol"]), row["arch"]))
    text = "\n".join([*kernels_table(rows), "", *roofline(rows)])
    if spilled := [row["symbol"] for row in rows if row["spills"]]:
        raise SystemExit(f"error: registers spill in {spilled}")
    if not options.write:
        print(text)
        return
    page = DOCS.read_text()
    before, _, rest = page.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    DOCS.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
