"""Pools, selections and reports of them for tests, and a reader of pages that checks them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np

from scp.report import write_report

URLS = ("src", "href", "xlink:href", "srcset", "data", "data-uri", "action", "poster")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Dataset:
    """Smooth synthetic images; `broken` ones cannot be read."""

    name = "synthetic"

    def __init__(self, n, ids=None, dtype=np.uint8, broken=()):
        self.ids = ids or [f"ward/{i:03d}.png" for i in range(n)]
        self.dtype, self.broken, self.reads = dtype, set(broken), 0

    def __len__(self):
        return len(self.ids)

    def image(self, i):
        self.reads += 1
        if i in self.broken:
            raise OSError(f"{self.ids[i]}: truncated <file>")
        y, x = np.mgrid[0:60, 0:48]
        top = np.iinfo(self.dtype).max
        return ((np.sin(x / (5 + i % 3)) * np.cos(y / 7) + 1) / 2 * top).astype(self.dtype)

    def shape(self, i):
        if i in self.broken:
            raise OSError("unreadable")
        return 60, 48


def pool(n, counts=6, seed=0):
    """(xy, offsets, values) of n images, `counts` key points each (a number or one per image)."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(counts, n)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    q = int(offsets[-1])
    xy = (rng.random((q, 2)) * (47, 59)).astype(np.float32)
    place = rng.random((n, 2))
    of = np.repeat(np.arange(n), counts)
    far = np.linalg.norm(place[:, None] - place[of][None], axis=2)
    values = (np.exp(-far) * (0.8 + 0.2 * rng.random((n, q)))).astype(np.float32)
    values[of, np.arange(q)] = 1.0
    return xy, offsets, values


def choose(values, selected, bound=1.01, initial=(), **fields):
    """A Selection of the given rows, computed plainly."""
    selected = np.array(selected, dtype=np.int64)
    rows = np.concatenate([selected, np.array(initial, dtype=np.int64)]).astype(np.int64)
    q = values.shape[1]
    best = values[list(initial)].max(0) if len(initial) else np.zeros(q, np.float32)
    gains = []
    for t in selected:
        new = np.maximum(best, values[t])
        gains.append(float(new.mean() - best.mean()) if q else 0.0)
        best = new
    score = float(best.mean()) if q else 0.0
    upper = score * bound
    made = {
        "selected": selected,
        "gains": np.array(gains),
        "score": score,
        "upper_bound": upper,
        "gap": (upper - score) / upper if upper > 0 else 0.0,
        "cover": rows[values[rows].argmax(0)] if len(rows) else np.zeros(q, np.int64),
        "cover_value": best.astype(np.float32),
        "method": "swap",
        "m": len(selected),
        "random_state": 0,
        "proven": bound == 1.0,
        "history": [],
        "parameters": {"initial": list(initial)},
    }
    return SimpleNamespace(**(made | fields))


class Page(HTMLParser):
    """Checks balance and collects what the tests ask about."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.urls = [], [], [], []
        self.tags, self.alts, self.attributes, self.said = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [k for k, _ in attrs]
        assert len(names) == len(set(names)), f"repeated attribute in <{tag}>"
        self.tags.append(tag)
        self.attributes += attrs
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        for key in URLS:
            if key in attrs:
                self.urls.append(attrs[key])
        if tag == "img":
            self.alts.append(attrs["alt"])
        if "data-alt" in attrs:  # of a picture that the script makes
            self.alts.append(attrs["data-alt"])
        inner = "svg" in self.open or attrs.get("aria-hidden") == "true"
        if tag == "svg" and not inner:
            assert attrs["role"] == "img"
            self.alts.append(attrs["aria-label"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.said.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.said))


def report(tmp_path, n=12, selected=(3, 7), dataset=None, counts=6, name="report.html", **options):
    xy, offsets, values = pool(n, counts)
    selection = options.pop("selection", None) or choose(values, selected)
    dataset = dataset or Dataset(n)
    path = write_report(
        tmp_path / name,
        dataset=dataset,
        keypoints_xy=xy,
        offsets=offsets,
        values=values,
        selection=selection,
        **options,
    )
    return path.read_text(encoding="utf-8")


def checked(html):
    """A parsed page that is balanced, has unique ids, working anchors and no outside resource."""
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    for url in page.urls:
        assert url.startswith(("data:image/jpeg;base64,", "#"))
        if url.startswith("#"):
            assert url[1:] in page.ids
    assert "http:" not in html and "https:" not in html
    assert "url(" not in html and "@import" not in html
    assert all(" " in alt.strip() for alt in page.alts)  # it says what it shows, not a name alone
    assert not [k for k, _ in page.attributes if k.startswith("on") or k == "style"]
    assert "nan" not in re.findall(r"[a-z]+", re.sub(r'"data:[^"]*"', "", html))
    return page
