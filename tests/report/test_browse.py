"""The browser through a choice: right neighbours, the key points that nothing covers, any page."""

from __future__ import annotations

import re
from html import unescape

import cv2
import numpy as np
import pytest
from reports import Dataset, checked, choose, pool, report

import scp
from scp.report import browse, words
from scp.report.gallery import Gallery
from scp.report.pictures import Pictures
from scp.report.stats import measure


def panels(n=40, selected=(3, 7), counts=6, seed=0, **options):
    xy, offsets, values = pool(n, counts, seed)
    selection = choose(values, selected, **options)
    found = measure(values, offsets, selection)
    dataset = Dataset(n)
    gallery = Gallery(dataset.ids, xy, offsets, selection, found, Pictures(dataset))
    return browse.browse(gallery), found, selection, offsets


def test_neighbours_are_those_that_a_template_represents_best_and_worst():
    shown, found, _, _ = panels()
    for k, panel in enumerate(shown["panels"]):
        mine = [i for i in np.flatnonzero(found.owner == k) if i not in (3, 7)]
        mine.sort(key=lambda i: -found.mean_to[k][i])
        assert [t["n"] for t in panel["best"]] == mine[: browse.BEST]
        assert [t["n"] for t in panel["worst"]] == mine[browse.BEST :][::-1][: browse.WORST]
        assert panel["said"] == f"Represents {len(mine)} other images."
    # No image is shown twice, and there is a picture of every image in the page.
    assert len(shown["panels"]) == 2 and len(shown["pictures"]) == 40


def test_key_points_that_nothing_covers_are_the_least_covered_of_the_others():
    shown, _, selection, offsets = panels(counts=20)
    values = np.asarray(selection.cover_value, np.float64)
    own = {i: values[offsets[i] : offsets[i + 1]] for i in range(40) if i not in (3, 7)}
    every = np.sort(np.concatenate(list(own.values())))
    below = every[len(every) * browse.LEAST // 100]
    said = [(t["n"], t["value"]) for t in shown["least"]["tiles"]]
    counts = {i: int((v < below).sum()) for i, v in own.items()}
    assert said and sum(counts.values()) == len(every) * browse.LEAST // 100
    for n, text in said:
        assert text == f"{counts[n]} of 20 key points"
    amounts = [counts[n] for n, _ in said]
    assert amounts == sorted(counts.values(), reverse=True)[: len(said)] and min(amounts) > 0
    for tile in shown["least"]["tiles"]:
        assert str(tile["overlay"].__html__()).count("<circle") == counts[tile["n"]]


def test_where_everything_is_covered_alike_nothing_is_uncovered():
    xy, offsets, values = pool(12)
    values[:] = 0.5
    selection = choose(values, [3, 7])
    page = checked(browse.browser(Dataset(12), xy, offsets, values, selection).html)
    assert "Key points that nothing covers" not in page.text


def test_images_without_places_have_no_key_points():
    xy, offsets, values = pool(12, 1)
    selection = choose(values, [3, 7])
    page = checked(browse.browser(Dataset(12), xy * np.nan, offsets, values, selection).html)
    assert "Represents best" in page.text and "key point" not in page.text.lower()


@pytest.mark.parametrize("selected", [[], [0], range(12)])
def test_any_number_of_templates(selected):
    xy, offsets, values = pool(12)
    nobody = {"cover": np.full(72, -1)} if not len(selected) else {}
    selection = choose(values, list(selected), **nobody)
    page = checked(browse.browser(Dataset(12), xy, offsets, values, selection).html)
    assert page.tags.count("option") == len(selected) + (0 < len(selected) < 12)
    assert ("Nothing was chosen." in page.text) == (not len(selected))


def test_what_is_hidden_without_a_script_is_only_what_needs_it(tmp_path):
    html = report(tmp_path)
    hidden = re.findall(r"<(\w+)[^>]* hidden[ >]", html)
    assert sorted(hidden) == ["button", "figure", "li", "p", "section", "ul"]
    assert '<section id="browse" aria-labelledby="h-browse" hidden>' in html
    assert 'href="#browse"' in html


def test_in_a_browser_keys_move_and_paper_shows_everything(browser, tmp_path):
    report(tmp_path, n=30, selected=(3, 7, 21))
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("#panel .self .id").inner_text() == "ward/003.png"
    tile = page.locator("#panel [data-n] img").first
    assert tile.evaluate("image => image.naturalWidth") == 48
    page.focus("#browsed")
    for key in ("ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator("#panel .self .id").inner_text() == "ward/021.png"
    page.keyboard.press("ArrowDown")
    assert "key points" in page.locator("#browsed-said").inner_text()
    assert page.locator("[data-turn='1']").is_disabled()

    page.focus("#step")
    page.keyboard.press("Home")
    assert "The first pick of 3" in page.locator("#step-said").inner_text()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#map .template.later").count() == 0
    for hidden in ("#browse", ".steps", "#hover", "nav"):
        assert not page.locator(hidden).first.is_visible()
    assert page.locator("#represents .gallery").count() == 3
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#map .template.later").count() == 2
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    page.close()


def test_images_that_cannot_be_read_are_named():
    xy, offsets, values = pool(12)
    broken, selection = Dataset(12, broken=[5, 6]), choose(values, [3, 5])
    html = browse.browser(broken, xy, offsets, values, selection).html
    assert 'aria-label="Template 2: ward/005.png: could not be read"' in html
    assert 'data-n="6" data-alt="Image ward/006.png, ' in html and 'data-n="6" data-uri' not in html
    checked(html)


def test_names_are_escaped_in_the_cell_of_a_notebook(tmp_path):
    ids = [f'<b>"{i}"</b>' for i in range(12)]
    xy, offsets, values = pool(12)
    shown = browse.browser(Dataset(12, ids=ids), xy, offsets, values, choose(values, [3, 7]))
    cell = shown._repr_html_()
    assert cell.count("<") == 2 and unescape(re.search('srcdoc="([^"]*)"', cell)[1]) == shown.html
    assert "b" not in checked(shown.html).tags
    assert shown.save(tmp_path / "browse.html").read_text(encoding="utf-8") == shown.html
    assert "srcdoc" not in repr(shown) and len(repr(shown)) < 100


def test_a_choice_can_be_browsed(images, tmp_path):
    extractor = scp.GradientExtractor(size=(64, 64))
    pool = scp.datasets.folder(images)
    choice = scp.choose(pool, 2, count=10, duplicates=False, features=extractor)
    page = checked(choice.browse().html)
    assert all(name in page.text for name in choice.ids)
    choice.images = None
    with pytest.raises(ValueError, match="browse: this choice has no images"):
        choice.browse()


def test_six_hundred_radiographs_with_landmarks_stay_below_ten_megabytes(tmp_path):
    n, marks = 600, 19
    noise = np.random.default_rng(0).integers(0, 256, (24, 19)).astype(np.uint8)
    picture = cv2.resize(noise, (480, 600), interpolation=cv2.INTER_CUBIC)

    class Radiographs(Dataset):
        def image(self, i):
            return picture

        def shape(self, i):
            return picture.shape

    # Compressed it is as large as a cephalogram: 2,508 and 21,260 characters.
    small, large = (Pictures(Radiographs(n)).small(0, *size) for size in ((112, 60), (420, 78)))
    assert 2_508 < len(small.uri) < 4_000 and len(large.uri) > 20_000
    xy = np.random.default_rng(1).random((n, marks, 2)) * (479, 599)
    ids = [f"ward/{i:03d}.png" for i in range(n)]
    found = scp.Landmarks(ids, [f"mark {k}" for k in range(marks)], xy, np.ones((n, marks)) / 2)
    selected = range(0, n, 60)
    html = report(
        tmp_path, n=n, counts=100, selected=selected, dataset=Radiographs(n), landmarks=found
    )
    assert words.heading(10) in html and html.count("data-uri=") == n
    assert len(html.encode()) < 10_000_000
