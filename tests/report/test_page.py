"""The HTML report: well-formed, self-contained, safe with hostile text, right at the edges."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from reports import Dataset, Page, checked, choose, pool, report

from scp.report import plots, poolmap, words, write_report
from scp.report.along import Along
from scp.report.stats import image_means, measure, project


def test_page_is_well_formed_and_self_contained(tmp_path):
    _, _, values = pool(12)
    curve = [choose(values, list(range(m)), 1.0 + 0.01 * m) for m in (1, 2, 3, 4)]
    notes = {
        "parameters": {"keypoints": {"method": "sift", "count": 100}, "levels": [32, 16, 8]},
        "warnings": ["two images are nearly empty"],
        "skipped": [("a/b.png", "truncated")],
        "duplicates": [("ward/000.png", "ward/001.png", "exact")],
        "elapsed": {"keypoints": 1.5, "similarity": 200.0},
        "command": "scp select images -m 2",
        "versions": {"scp": "0.1.0", "numpy": np.__version__},
    }
    page = checked(report(tmp_path, curve=curve, selection=curve[1], notes=notes))
    assert page.tags.count("h1") == 1 and "main" in page.tags and "figcaption" in page.tags
    for said in (
        "Annotate these 2 images",
        "two images are nearly empty",
        "keypoints.method",
        "32, 16, 8",
        "a/b.png",
        "both",
        "3 min 20 s",
        "scp select images -m 2",
        "No choice of 2 images can exceed",
        "3 remarks on the data",
    ):
        assert said in page.text, said
    nothing = "None: every file was read"
    assert nothing not in page.text and nothing in checked(report(tmp_path)).text
    assert page.text.count(words.number(curve[3].score)) >= 1


def test_chosen_ids_are_listed_in_pick_order(tmp_path):
    html = report(tmp_path, selected=(7, 3, 0))
    listed = re.search(r'<pre id="picked"[^>]*>(.*?)</pre>', html, re.S).group(1).split()
    assert listed == ["ward/007.png", "ward/003.png", "ward/000.png"]


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></style></title><b>",
    "{{ 7 * 7 }}{% raw %}",
    "radiograph \U0001f9b4 \u202egnp.exe",
    "lone \udcff surrogate \x00 \x1b[31m",
    "a&b&amp;c",
    "javascript:alert(1)",
]


def test_hostile_text_is_escaped_everywhere(tmp_path):
    n = len(HOSTILE)
    quiet = Page(report(tmp_path, n=n, name="quiet.html"))
    notes = {
        "parameters": {h: {h: h} for h in HOSTILE},
        "warnings": HOSTILE,
        "skipped": [(h, h) for h in HOSTILE],
        "duplicates": [(h, h, h) for h in HOSTILE],
        "elapsed": dict.fromkeys(HOSTILE, 1.0),
        "command": " ".join(HOSTILE),
        "versions": {h: h for h in HOSTILE},
    }
    dataset = Dataset(n, ids=list(HOSTILE), broken=[4])
    html = report(tmp_path, n=n, dataset=dataset, notes=notes, title=HOSTILE[0])
    page = checked(html)
    assert page.tags.count("script") == quiet.tags.count("script") == 1
    assert page.tags.count("style") == 1
    assert "b" not in page.tags
    assert {k for k, _ in page.attributes} <= {k for k, _ in quiet.attributes} | {"scope"}
    for h in HOSTILE:
        assert " ".join(words.clean(h).split()) in page.text
    assert "7 * 7" in page.text and "49" not in page.ids
    assert "\x00" not in html and "\x1b" not in html


def test_content_security_policy_names_exactly_the_inline_parts(tmp_path):
    import base64
    import hashlib

    html = report(tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    policy = policy.replace("&#39;", "'").replace("&#x27;", "'")
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", html, re.S).group(1)
        name = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{name}'" in policy.replace("&#43;", "+")


def test_same_input_gives_the_same_bytes(tmp_path):
    assert report(tmp_path, name="a.html") == report(tmp_path, name="b.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


@pytest.mark.parametrize(
    ("n", "selected", "counts"),
    [
        (1, [0], 5),
        (1, [0], 0),
        (2, [1], 5),
        (3, [0, 1, 2], 4),
        (30, range(30), 3),
        (5, [0, 2], [3, 0, 0, 4, 0]),
        (6, [1, 4], 0),
        (6, [], 2),
        (40, range(0, 40, 2), 2),
    ],
)
def test_edges(tmp_path, n, selected, counts):
    html = report(tmp_path, n=n, selected=list(selected), counts=counts)
    page = checked(html)
    assert words.heading(len(selected)) in page.text
    empty = int((np.broadcast_to(counts, n) == 0).sum())
    assert ("Images without key points" in page.text) == (empty > 0)
    if len(selected) == n and empty == 0:
        assert "none is left to be covered by another" in page.text


def test_identical_images_need_no_map(tmp_path):
    values = np.full((4, 12), 0.5, np.float32)
    offsets = np.arange(0, 13, 3)
    path = write_report(
        tmp_path / "r.html",
        dataset=Dataset(4),
        keypoints_xy=np.ones((12, 2), np.float32),
        offsets=offsets,
        values=values,
        selection=choose(values, [0]),
    )
    assert "at least three images with key points that differ" in checked(path.read_text()).text


def test_unreadable_images_become_placeholders_and_notes(tmp_path):
    dataset = Dataset(12, broken=[3, 5])
    page = checked(report(tmp_path, dataset=dataset, selected=(3, 7)))
    assert "image could not be read" in page.text
    assert "OSError: ward/003.png: truncated <file>" in page.text
    assert "Images that could not be read for this report" in page.text


def test_sixteen_bit_images_are_windowed_and_it_is_said(tmp_path):
    page = checked(report(tmp_path, dataset=Dataset(12, dtype=np.uint16)))
    assert "Images deeper than 8 bits" in page.text
    assert "deeper than 8 bits" not in checked(report(tmp_path)).text


def test_two_thousand_images(tmp_path):
    dataset = Dataset(2000)
    html = report(tmp_path, n=2000, selected=range(0, 2000, 100), counts=3, dataset=dataset)
    page = checked(html)
    assert len(html) < 6_000_000
    assert dataset.reads < 500
    assert "not shown" in page.text and "without a gallery" in page.text
    assert len(re.findall(r'class="image point', html)) == 1980


class Guarded:
    """Stands in for a memmap too large for memory: only small row blocks may be read."""

    def __init__(self, values, most):
        self.values, self.most, self.largest = values, most, 0
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, key):
        piece = self.values[key]
        self.largest = max(self.largest, piece.nbytes)
        assert piece.nbytes <= self.most
        return piece.copy()

    def __array__(self, *args, **kwargs):
        raise AssertionError("the whole matrix was converted")


def test_values_are_read_in_blocks(tmp_path, monkeypatch):
    from scp.report import stats

    xy, offsets, values = pool(120, 10)
    mapped = tmp_path / "similarity.npy"
    np.save(mapped, values)
    values = np.load(mapped, mmap_mode="r")
    selection = choose(np.asarray(values), [3, 50])
    options = {"dataset": Dataset(120), "keypoints_xy": xy, "offsets": offsets}
    options["selection"] = selection
    plain = write_report(tmp_path / "a.html", values=values, **options).read_bytes()
    monkeypatch.setattr(stats, "BLOCK_BYTES", 4 * values[0].nbytes)
    guarded = Guarded(values, values.nbytes // 20)
    assert write_report(tmp_path / "b.html", values=guarded, **options).read_bytes() == plain
    assert guarded.largest > 0


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    import os

    old = report(tmp_path)

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        report(tmp_path, selected=(1, 2))
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == old


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": np.array([0, 1, 2])}, "offsets: expected 13"),
        ({"keypoints_xy": np.zeros((5, 2), np.float32)}, "keypoints_xy: expected 72"),
        ({"values": np.zeros((12, 5), np.float32)}, r"values: expected shape \(12, 72\)"),
        ({"selected": np.array([1, 1])}, "selection.selected: expected distinct"),
        ({"selected": np.array([1, 12])}, "selection.selected: expected distinct"),
        ({"gains": np.zeros(5)}, "selection.gains: expected 2"),
        ({"cover": np.zeros(3, int)}, "selection.cover: expected 72"),
    ],
)
def test_bad_input_is_named(tmp_path, change, message):
    xy, offsets, values = pool(12)
    selection = choose(values, [3, 7])
    options = {"keypoints_xy": xy, "offsets": offsets, "values": values}
    for key, value in change.items():
        if key in options:
            options[key] = value
        else:
            setattr(selection, key, value)
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path / "r.html", dataset=Dataset(12), selection=selection, **options)
    assert list(tmp_path.iterdir()) == []


def test_already_annotated_images_have_their_own_names(tmp_path):
    _, _, values = pool(12)
    selection = choose(values, [3, 7], initial=[5])
    page = checked(report(tmp_path, selection=selection))
    assert "already annotated image covers" in page.text
    assert "The images already annotated reach" in page.text
    assert "A1" in page.text and page.text.count("ward/005.png") >= 3


def test_statistics_agree_with_plain_loops():
    _, offsets, values = pool(9, [3, 0, 4, 1, 0, 0, 2, 5, 0], seed=4)
    selection = choose(values, [2, 6, 1])
    got = measure(values, offsets, selection)
    means = image_means(values, offsets)
    for n in range(9):
        own = slice(offsets[n], offsets[n + 1])
        if offsets[n] == offsets[n + 1]:
            assert np.isnan(got.coverage[n]) and np.isnan(means[:, n]).all()
            assert got.owner[n] == (2 if n == 1 else -1)
            continue
        assert abs(got.coverage[n] - selection.cover_value[own].mean(dtype=np.float64)) <= 1e-6
        assert got.lowest[n] == selection.cover_value[own].min()
        for t in range(9):
            assert abs(means[t, n] - values[t, own].mean(dtype=np.float64)) <= 1e-6
        shares = [int((selection.cover[own] == t).sum()) for t in (2, 6, 1)]
        expected = {2: 0, 6: 1}.get(n, int(np.argmax(shares)))
        assert got.owner[n] == expected
    assert got.points.sum() == len(selection.cover)
    assert got.images.sum() == (got.owner >= 0).sum()


def test_regions_average_the_right_key_points():
    from scp.report.overlay import field

    place = np.array([[0.1, 0.1]] * 3 + [[0.9, 0.6]] * 2 + [[1.0, 1.0]])
    drawing, low, high = field(place, np.array([0.2, 0.4, 0.6, 0.8, 1.0, 0.5]), (40, 40), columns=2)
    said = re.findall(r"<title>([^<]*)</title>", drawing.__html__())
    assert said == ["3 key points, mean coverage 0.4000", "3 key points, mean coverage 0.7667"]
    assert 0.4 <= low < high <= 0.7667
    assert field(np.empty((0, 2)), np.empty(0), (40, 40)) is None


def test_map_keeps_the_plane_of_planar_similarity():
    rng = np.random.default_rng(3)
    place = rng.normal(size=(60, 2)) * (2.0, 0.7)
    gram = (place @ place.T).astype(np.float64)
    values = np.repeat(gram, 2, axis=1)  # two equal key points per image
    offsets = np.arange(0, 121, 2)
    for anchors in (60, 25):
        got = project(values, offsets, np.array([5, 9]), anchors=anchors)
        want = np.linalg.norm(place[:, None] - place[None], axis=2)
        have = np.linalg.norm(got.xy[:, None] - got.xy[None], axis=2)
        assert np.corrcoef(want.ravel(), have.ravel())[0, 1] > 0.999
        assert got.share > 0.95


def test_rounding_never_overstates():
    assert words.number_up(0.82761) == "0.8277" and words.number(0.82761) == "0.8276"
    assert words.percent_up(0.00781) == "0.8\u00a0%"
    assert words.percent_up(0.000912) == "0.10\u00a0%"
    assert words.percent_up(1e-7) == "0.01\u00a0%" and words.percent_up(0.0) == "0\u00a0%"
    rng = np.random.default_rng(0)
    for x in rng.random(500):
        assert float(words.number_up(float(x))) >= x
        assert float(words.percent_up(float(x)).split("\u00a0")[0]) >= x * 100 - 1e-12


def test_certificate_says_what_is_proved():
    said = words.certificate
    assert said(5, 0.8211, 0.8276, 0.00785, False, True) == (
        "No choice of 5 images can exceed 0.8276: "
        "this one is within 0.8\u00a0% of the best possible."
    )
    assert "proved the best possible" in said(5, 0.8, 0.8, 0.0, True, True)
    assert said(5, 0.8, 0.81, 0.0124, False, False).startswith("No allowed choice of 5 images")
    assert said(1, 0.8, 0.81, 0.0124, False, True).startswith("No single image can exceed")
    assert "nothing is proved" in said(5, 0.8, float("nan"), float("nan"), False, True)
    assert "within" not in said(5, -0.2, -0.1, 0.0, False, True)
    assert words.constrained({"include": [3], "initial": []})
    assert not words.constrained({"include": (), "groups": None, "initial": [2]})


def alone(drawing):
    """The elements of a drawing as a file; it is XML, and needs no style sheet besides its own."""
    root = ElementTree.fromstring(str(drawing))
    (style,) = root.iter("{http://www.w3.org/2000/svg}style")
    assert "fill: #" in style.text and "var(" not in str(drawing)
    assert root.get("aria-label") and float(root.get("width")) > 100
    return list(root.iter())


def test_drawings_for_notebooks(tmp_path):
    xy, offsets, values = pool(12, [6] * 11 + [0])
    dataset = Dataset(12, ids=[f"<odd_{i}> & name" for i in range(12)])
    curve = [choose(values, list(range(m)), 1.02) for m in (3, 1, 2)]
    seven, all_of = choose(values, range(7)), choose(values, range(12))
    for drawing in (
        plots.coverage_curve(curve),
        plots.coverage_curve(curve[0]),
        plots.coverage_map(values, offsets, choose(values, [3, 7], initial=[2])),
        plots.coverage_map(values, offsets, all_of, dataset),
        plots.chosen_images(dataset, xy, offsets, seven, columns=3),
        plots.chosen_images(dataset, xy, offsets, choose(values, [11])),
    ):
        alone(drawing)
        assert drawing._repr_html_() == str(drawing)
    path = plots.coverage_curve(curve).save(tmp_path / "curve.svg")
    assert path.read_text() == f"{plots.coverage_curve(curve)}\n"
    said = [e.text for e in alone(plots.coverage_curve(curve)) if e.tag.endswith("title")]
    scores = [f"M = {len(s.selected)}: score {words.number(s.score)}" for s in curve]
    assert said[-3:] == [scores[1], scores[2], scores[0]]
    shown = alone(plots.chosen_images(dataset, xy, offsets, seven, columns=3))
    assert sum(e.tag.endswith("image") for e in shown) == 7
    assert sum(e.tag.endswith("circle") for e in shown) == 42
    assert "1. <odd_0> & name" in [e.text for e in shown]


def test_drawings_name_what_is_wrong(tmp_path):
    xy, offsets, values = pool(12)
    with pytest.raises(ValueError, match="selections: expected"):
        plots.coverage_curve([])
    with pytest.raises(ValueError, match="values: a map needs"):
        plots.coverage_map(values[:2, :12], offsets[:3], choose(values[:2, :12], [0]))
    one = choose(values, [3])
    with pytest.raises(ValueError, match=r"dataset: OSError: ward/003\.png"):
        plots.chosen_images(Dataset(12, broken=[3]), xy, offsets, one)
    with pytest.raises(ValueError, match="columns: expected at least 1, got 0"):
        plots.chosen_images(Dataset(12), xy, offsets, one, columns=0)
    with pytest.raises(ValueError, match=r"path: a drawing is written as \.svg, not x\.png"):
        plots.coverage_curve(one).save(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_the_slider_shows_what_the_first_picks_would_represent_alone():
    _, offsets, values = pool(30, 5)
    whole = choose(values, [3, 7, 21, 11], initial=[2])
    share = measure(values, offsets, whole)
    along = Along(values, offsets, whole, share)
    assert along.steps == [1, 2, 3, 4] and len(along.said) == 4
    for k, owner in zip(along.steps, along.owner, strict=True):
        alone = measure(values, offsets, choose(values, whole.selected[:k], initial=[2]))
        images = np.append(alone.templates, -1)  # the last for those without an owner
        assert np.array_equal(np.append(share.templates, -1)[owner], images[alone.owner])
    assert along.of(3).split() == ["0"] * 4
    _, offsets, values = pool(60, 2)
    many = choose(values, range(60))
    steps = Along(values, offsets, many, measure(values, offsets, many)).steps
    assert len(steps) == 40 and steps[0] == 1 and steps[-1] == 60


def test_the_map_has_a_slider_and_pictures_where_there_is_something_to_see(tmp_path):
    several = report(tmp_path, n=12, selected=(3, 7))
    assert 'id="step"' in several and several.count("data-uri=") == 12
    assert 'id="hover"' in several
    one = report(tmp_path, n=12, selected=(3,))
    assert 'id="step"' not in one and "data-owner=" not in one
    large = report(tmp_path, n=601, selected=(3, 7), counts=2, dataset=Dataset(601))
    assert large.count("data-uri=") < 100 and 'id="hover"' not in large


def test_a_large_pool_makes_no_large_page(tmp_path, monkeypatch):
    monkeypatch.setattr(poolmap, "MARKS", 40)
    n = 300
    ids = [f"ward/{i:03d}.png" for i in range(n)]
    notes = {
        "duplicates": [(ids[i % n], ids[(i + 1) % n], "near") for i in range(5000)],
        "skipped": [(f"ward/{i}.dcm", "truncated") for i in range(4000)],
    }
    html = report(tmp_path, n=n, counts=2, selected=(250, 3, 7), notes=notes)
    page = checked(html)
    assert html.count('class="image point') == 40 and html.count('class="template"') == 3
    assert "257 further images not drawn" in page.text
    assert html.count("<td>near</td>") == html.count("<td>truncated</td>") == 200
    assert "4,800 further pairs not listed here; selection.json" in page.text
    assert "3,800 further files not listed here; selection.json" in page.text
