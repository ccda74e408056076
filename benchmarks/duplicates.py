"""What the search for duplicates in a large pool finds of what comparing all pairs finds; its cost.

    python benchmarks/duplicates.py                                  2,500 to 10,000 images
    python benchmarks/duplicates.py --sizes 20000 50000 --whole 0    time and memory alone
    python benchmarks/duplicates.py --kinds chest                    radiographs of one kind alone
    python benchmarks/duplicates.py --lists                          other ways to list images

Pools are made of the real images below SCP_DATA at 256 x 256. A tenth of a pool are copies:
cropped, moved, with other tone, compression, noise, size (COPIES). Where there are too few real
images, the others are made of them: mirrored or not, turned by 6 to 25 degrees, and with every part
pushed by some 8 pixels, so that they look like further subjects of the kind. They are no
duplicates: how many pairs of them are found where all pairs are compared is printed. The small
pictures are made before the clock starts.
"""

import os
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from common import arguments, finish, header

from scp import datasets
from scp.datasets import duplicates, likely, neighbours, pictures
from scp.datasets.neighbours import Cells, whole

SIDE = 256
KINDS = {
    "cephalometric": "cephalometric/RawImage",
    "chest": "chest/images",
    "faces": "faces/images",
}

# Spectra of the image and of its middle, of the image alone; middles of small pictures, moved. With
# so many images for each view, from so many cells.
LISTS = [("spectra", 33, 32), ("spectra", 9, 32), ("one spectrum", 33, 32)]
LISTS += [("middles", 33, 32), ("middles", 4, 32)]
LISTS += [("spectra", 33, cells) for cells in (4, 8, 16, 1000)]


def moved(image, scale=1.0, angle=0.0, dx=0.0, dy=0.0):
    middle = (SIDE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle, scale)
    matrix[:, 2] += dx * SIDE, dy * SIDE
    return cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)


def levels(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def jpeg(image, quality):
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def cropped(image, rng, low, high):
    """By that share of the side, at one to four sides."""
    cut = np.zeros(4, int)
    sides = rng.permutation(4)[: rng.integers(1, 5)]
    cut[sides] = np.rint(rng.uniform(low, high, len(sides)) * SIDE)
    return image[cut[0] : SIDE - cut[1], cut[2] : SIDE - cut[3]]


def smaller(image, side):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def several(image, rng):
    image = moved(image, rng.uniform(1, 1.08), 0, *rng.uniform(-0.03, 0.03, 2)) / 255
    return jpeg(levels(image ** rng.uniform(0.7, 1.4) * 255 + rng.normal(0, 4, image.shape)), 50)


COPIES = {
    "crop 3 to 8 %": lambda a, rng: cropped(a, rng, 0.03, 0.08),
    "crop 8 to 13 %": lambda a, rng: cropped(a, rng, 0.08, 0.13),
    "zoom to 1.14": lambda a, rng: moved(a, rng.uniform(1.02, 1.14)),
    "zoom to 0.86": lambda a, rng: moved(a, rng.uniform(0.86, 0.98)),
    "shift to 5 %": lambda a, rng: moved(a, 1, 0, *rng.uniform(-0.05, 0.05, 2)),
    "turn to 2 degrees": lambda a, rng: moved(a, 1, rng.uniform(-2, 2)),
    "gamma 0.5 to 2": lambda a, rng: levels((a / 255) ** 2 ** rng.uniform(-1, 1) * 255),
    "local contrast": lambda a, rng: cv2.createCLAHE(4, (8, 8)).apply(a),
    "JPEG quality 50": lambda a, rng: jpeg(a, 50),
    "JPEG quality 10": lambda a, rng: jpeg(a, 10),
    "half the size": lambda a, rng: smaller(a, SIDE // 2),
    "a quarter of the size": lambda a, rng: smaller(a, SIDE // 4),
    "an eighth of the size": lambda a, rng: smaller(a, SIDE // 8),
    "noise to 0.08": lambda a, rng: levels(a + rng.normal(0, rng.uniform(5, 20), a.shape)),
    "noise of 0.1": lambda a, rng: levels(a + rng.normal(0, 25, a.shape)),
    "several": several,
}


def another(image, rng):
    """Something that looks like another subject of the kind."""
    turn = rng.choice([-1, 1]) * rng.uniform(6, 25)
    image = moved(image[:, :: rng.choice([-1, 1])].copy(), rng.uniform(1, 1.15), turn)
    pushes = rng.normal(0, 1, (2, 12, 12)).astype(np.float32)
    wide = [cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for p in pushes]
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    dx, dy = (8 * w / w.std() for w in wide)
    return cv2.remap(image, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


class Pool(datasets.Dataset):
    """n images, the last of which are copies; each is made when asked for.

    copies: (original, copy, name of the change).
    """

    def __init__(self, real, n, seed=0):
        rng = np.random.default_rng(seed)
        self.real, copies = real, n // 10
        rest = n - copies
        first = rng.permutation(len(real))[:rest]
        more = rng.choice(first, rest - len(first))
        self.made = [(int(i), None, None, 0) for i in first]
        self.made += [(int(i), another, None, int(rng.integers(1 << 30))) for i in more]
        self.copies, names = [], list(COPIES)
        for k, i in enumerate(rng.permutation(rest)[:copies].tolist()):
            name = names[k % len(names)]
            self.copies.append((i, rest + k, name))
            self.made.append((*self.made[i][:2], name, self.made[i][3]))
        super().__init__("pool", [f"{i:05d}" for i in range(n)], shapes=[(SIDE, SIDE)] * n)

    def image(self, i):
        source, make, copy, seed = self.made[i]
        image = np.array(self.real[source])
        image = make(image, np.random.default_rng(seed)) if make else image
        return COPIES[copy](image, np.random.default_rng(i)) if copy else image

    def shape(self, i):
        return self.image(i).shape if self.made[i][2] else (SIDE, SIDE)

    def white(self, i):
        return 255


def real_images(kinds):
    """uint8 [N][256][256], in a file: memory is what is measured."""
    root, file, n = Path(os.environ["SCP_DATA"]), tempfile.TemporaryFile(), 0  # noqa: SIM115
    for kind in kinds:
        top = root / KINDS[kind]
        for folder in [top, *sorted(p for p in top.rglob("*") if p.is_dir())]:
            if any(p.is_file() for p in folder.iterdir()):
                pool = datasets.folder(folder)
                for i in range(len(pool)):
                    file.write(np.rint(255 * pool.thumbnail(i, (SIDE, SIDE))).astype(np.uint8))
                n += len(pool)
    file.flush()
    return np.memmap(file, np.uint8, "r", 0, (n, SIDE, SIDE)).view(np.ndarray)


class Memory:
    """The most memory of this process, without files that are mapped (Linux; else NaN)."""

    def __enter__(self):
        self.most, self.done = 0.0, threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        status = Path("/proc/self/status")
        while not self.done.wait(0.02):
            lines = status.read_text().splitlines() if status.exists() else ["RssAnon nan"]
            (line,) = (x for x in lines if x.startswith("RssAnon"))
            self.most = max(self.most, float(line.split()[1]) / 1024)

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


class Search:
    """What `find_duplicates` finds in a pool, by comparing all pairs or as in large pools.

    likely, pairs: sets of pairs. listing, processor: processor time of step 1 and of all steps.
    seconds: of the clock, all steps. memory: MB.
    """

    def __init__(self, pool, seen, everything):
        before = likely.ALL_PAIRS, duplicates.likely_pairs
        likely.ALL_PAIRS = len(pool) if everything else min(before[0], len(pool) - 1)
        duplicates.likely_pairs = self.listed
        with Memory() as memory:
            start, clock = time.process_time(), time.perf_counter()
            found = datasets.find_duplicates(pool, seen=seen)
            self.processor = time.process_time() - start
            self.seconds = time.perf_counter() - clock
        likely.ALL_PAIRS, duplicates.likely_pairs = before
        self.pairs, self.memory = {(p.a, p.b) for p in found}, memory.most

    def listed(self, *arguments):
        start = time.process_time()
        rows = likely.likely_pairs(*arguments)
        self.listing = time.process_time() - start
        self.likely = {(a, b) for a, b, _ in rows.tolist()}
        return rows

    def __str__(self):
        return (
            f"{self.listing:.1f} / {self.processor:.1f} / {self.seconds:.1f} s, "
            f"{self.memory:.0f} MB, {len(self.likely)} likely pairs, {len(self.pairs)} found"
        )


def middles(seen, zoomed, dy=0, dx=0):
    """The middle of small pictures at half of their size, moved: as rows."""
    parts = []
    for k in range(0, len(seen), 512):
        views = likely._middle(likely._views(seen[k : k + 512], zoomed), dy, dx)
        small = np.array([cv2.resize(v, (13, 13), interpolation=cv2.INTER_AREA) for v in views])
        parts.append(whole(likely.unit(small)))
    return np.concatenate(parts)


def spectra(seen, zoomed):
    parts = range(0, len(seen), 512)
    return np.concatenate([likely.spectra(likely._views(seen[k : k + 512], zoomed)) for k in parts])


def views_of(seen, name):
    """Rows that are looked for, the first ones also those that are found, one after the other."""
    if name == "middles":
        steps = [(0, 0), *((y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if (y, x) != (0, 0))]
        yield from (middles(seen, zoomed, *step) for zoomed in (False, True) for step in steps)
        return
    first = spectra(seen, False)
    mean, spread = first.mean(axis=0), np.maximum(first.std(axis=0), 1e-6)
    yield whole((first - mean) / spread)
    if name == "spectra":
        yield whole((spectra(seen, True) - mean) / spread)


def lists(seen, pairs, name, count, probes):
    """Prints how many of the pairs are in the lists that a way to list likely images gives, with
    `count` images for each view, from `probes` cells."""
    neighbours._PROBES, before = probes, neighbours._PROBES
    start, cells, there, length = time.process_time(), None, set(), 0
    for rows in views_of(seen, name):
        cells = Cells(rows) if cells is None else cells
        length += count
        for asked, listed in cells.nearest(rows, count):
            for a, others in zip(asked.tolist(), listed.tolist(), strict=True):
                there |= {(a, b) if a < b else (b, a) for b in others} & pairs
    spent = time.process_time() - start
    neighbours._PROBES = before
    print(
        f"  {name:12} {length:4d} images listed for each, from {probes:4d} cells: "
        f"{len(there) / max(1, len(pairs)):7.2%} found, {spent:.1f} s",
        flush=True,
    )


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2500, 5000, 10_000])
    parser.add_argument("--whole", type=int, default=10_000, help="all pairs up to so many images")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--lists", action="store_true", help="compare ways to list likely images")
    options = parser.parse_args()
    header("99 % of the pairs that comparing all finds; 1 GB for 50,000 images")
    real = real_images(options.kinds)
    print(f"{len(real)} real images; processor time of step 1 / of all steps / by the clock")
    ours = peer = 0.0
    rows = []
    for n in options.sizes:
        pool = Pool(real, n)
        start = time.perf_counter()
        seen = pictures(pool)
        made = time.perf_counter() - start
        few = Search(pool, seen, False)
        row = {"images": n, "listing": few.listing, "processor": few.processor}
        row |= {"seconds": few.seconds, "MB": few.memory}
        planted = {(a, b): name for a, b, name in pool.copies}
        print(
            f"{n:6d} images (made in {made:.0f} s): {few}, "
            f"{len(few.pairs & set(planted))} of {len(planted)} copies",
            flush=True,
        )
        if n <= options.whole:
            every = Search(pool, seen, True)
            both = len(few.pairs & every.pairs)
            row |= {"all pairs": every.seconds, "found": both, "of": len(every.pairs)}
            ours, peer = few.seconds, every.seconds
            likely_too = len(few.likely & every.likely) / max(1, len(every.likely))
            print(
                f"       all pairs: {every}\n"
                f"       of these above: {likely_too:.1%} of the likely, "
                f"{both / max(1, len(every.pairs)):.2%} of those found; {len(few.pairs) - both} "
                "found above alone"
            )
            lost = [planted.get(pair, "no planted copy") for pair in every.pairs - few.pairs]
            wrong = [p for p in every.pairs if pool.made[p[0]][::3] != pool.made[p[1]][::3]]
            made_up = [p for p in wrong if pool.made[p[0]][1] or pool.made[p[1]][1]]
            print(f"       lost: {lost or 'none'}; of different images, made here: {len(made_up)}")
        if options.lists:  # of what comparing all finds, or of the copies
            pairs = every.pairs if n <= options.whole else set(planted)
            for way in LISTS:
                lists(seen, pairs, *way)
        rows.append(row)
    finish(options, ours, peer, sizes=rows)


if __name__ == "__main__":
    main()
