"""The page on which landmarks are marked, in a real browser: what is clicked is what is saved."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import scp
from scp.annotate import write_page
from scp.datasets.cephalometric import LANDMARKS

SIZE = (2400, 1935)  # rows, columns of a cephalogram
NOBODY = 1.0  # pixels: much less than anybody can see, much more than a mistake of half a pixel


@pytest.fixture(scope="module")
def pool():
    """Two cephalograms of noise, on which a pixel is told from its neighbours."""
    rng = np.random.default_rng(0)
    small = rng.integers(40, 200, (2, SIZE[0] // 60 + 1, SIZE[1] // 60 + 1), np.uint8)
    images = [cv2.resize(s, SIZE[::-1], interpolation=cv2.INTER_CUBIC) for s in small]
    return scp.datasets.arrays(images, ids=["a.png", "b.png"])


def empty(pool, names=LANDMARKS) -> scp.Landmarks:
    return scp.Landmarks(pool.ids, list(names), np.full((len(pool), len(names), 2), np.nan))


def detected(pool) -> scp.Landmarks:
    """Found points, but for one that is marked."""
    rng = np.random.default_rng(1)
    xy = rng.uniform(300, 1500, (len(pool), 4, 2))
    source = np.full(xy.shape[:2], "found", "<U9")
    source[0, 0] = "marked"
    visible = np.ones(source.shape, bool)
    visible[0, 2:] = False
    names = ["s", "n", "a", "b"]
    return scp.Landmarks(pool.ids, names, xy, source=source, visible=visible)


class Page:
    """A page that is open. Places are those of the original image."""

    def __init__(self, browser, file, **options):
        self.context = browser.new_context(
            viewport={"width": 1280, "height": 800}, accept_downloads=True, **options
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.url = file.as_uri()
        self.page.goto(self.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()
        assert not self.errors
        others = [r for r in self.requests if not r.startswith(("data:", "blob:", self.url))]
        assert not others

    def said(self) -> str:
        return self.page.inner_text("#status")

    def text(self, id: str) -> str:
        return self.page.inner_text(f"#{id}")

    def fitted(self, shape=SIZE):
        """The offset and the scale of the image as it is shown at first, worked out here."""
        box = self.page.locator("#stage").bounding_box()
        scale = min(box["width"] / shape[1], box["height"] / shape[0])
        left = box["x"] + (box["width"] - shape[1] * scale) / 2
        top = box["y"] + (box["height"] - shape[0] * scale) / 2
        return left, top, scale

    def click(self, x: int, y: int, shape=SIZE) -> tuple[float, float]:
        """Clicks a pixel of the screen; the place in the image of its middle."""
        self.page.mouse.click(x, y)
        left, top, scale = self.fitted(shape)
        half = 0.5 / self.page.evaluate("devicePixelRatio")
        return (x + half - left) / scale - 0.5, (y + half - top) / scale - 0.5

    def at(self, point, shape=SIZE) -> tuple[float, float]:
        """Where on the screen a point is."""
        left, top, scale = self.fitted(shape)
        return left + (point[0] + 0.5) * scale, top + (point[1] + 0.5) * scale

    def saved(self, tmp_path) -> scp.Landmarks:
        with self.page.expect_download() as waiting:
            self.page.click("#save")
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        return scp.read_landmarks(file)


def page_of(pool, path, points=None, rows=(0, 1), key="run", **options):
    points = empty(pool).rows([pool.ids[i] for i in rows]) if points is None else points
    return write_page(path, dataset=pool, rows=rows, points=points, key=key, title="x", **options)


@pytest.mark.parametrize("ratio, page_size", ((1, 48 << 20), (2, 48 << 20), (1.5, 260_000)))
def test_what_is_clicked_is_saved(browser, pool, tmp_path, ratio, page_size):
    written = page_of(pool, tmp_path / "a.html", page_size=page_size)
    assert bool(written.smaller) == (page_size < 1 << 20) and written.size <= page_size
    rng = np.random.default_rng(3)
    with Page(browser, written.path, device_scale_factor=ratio) as page:
        left, top, scale = page.fitted()
        xs = rng.integers(int(left) + 5, int(left + scale * SIZE[1]) - 5, 19)
        ys = rng.integers(int(top) + 5, int(top + scale * SIZE[0]) - 5, 19)
        clicked = [page.click(int(x), int(y)) for x, y in zip(xs, ys, strict=True)]
        assert "all points of this image" in page.said()
        page.page.reload()
        assert "19 points of your last visit" in page.text("banner")
        found = page.saved(tmp_path)
        assert found.ids == ["a.png"] and found.names == list(LANDMARKS)
        assert (found.source == "marked").all()
        assert np.abs(found.xy[0] - clicked).max() <= 0.01
        page.page.reload()  # again, after it was saved
        assert page.saved(tmp_path) == found


def test_zoomed_in_a_pixel_is_hit(browser, pool, tmp_path):
    """The pixel on the screen is the pixel of the file: at 8 screen pixels for one, the place of a
    bright pixel is clicked as it is seen."""
    image = np.full(SIZE, 30, np.uint8)
    image[701, 933] = 255
    one = scp.datasets.arrays([image], ids=["dot"])
    written = page_of(one, tmp_path / "a.html", empty(one, ["dot"]), rows=(0,))
    with Page(browser, written.path) as page:
        x, y = page.at((933, 701))
        page.page.mouse.move(round(x), round(y))
        for _ in range(20):
            page.page.mouse.wheel(0, -100)
        page.page.wait_for_timeout(100)
        shot = cv2.imdecode(np.frombuffer(page.page.screenshot(), np.uint8), 0)
        shot[:, :60] = shot[:, 980:] = shot[:70] = shot[740:] = 0  # what is not the image
        rows, columns = np.nonzero(shot > 150)
        assert 10 < np.ptp(rows) < 70 and 10 < np.ptp(columns) < 70  # a square, not a blur
        page.page.mouse.click(round(columns.mean()), round(rows.mean()))
        (found,) = page.saved(tmp_path).xy[0]
        assert np.abs(found - (933, 701)).max() < 0.06


def test_a_found_point_is_corrected_by_dragging(browser, pool, tmp_path):
    before = detected(pool)
    written = page_of(pool, tmp_path / "a.html", before)
    with Page(browser, written.path) as page:
        x, y = (round(v) for v in page.at(before.xy[0, 2]))
        page.page.mouse.move(x, y)
        page.page.mouse.down()
        page.page.mouse.move(x + 10, y + 3, steps=3)
        page.page.mouse.move(x + 40, y - 20, steps=3)
        page.page.mouse.up()
        assert page.said().startswith("a at ")
        found = page.saved(tmp_path)
        expected = before.xy.copy()
        expected[0, 2] += np.array((40, -20)) / page.fitted()[2]
        assert np.abs(found.xy - expected).max() <= 0.01
        assert found.source.tolist() == [["marked", "found", "corrected", "found"], ["found"] * 4]
        assert np.array_equal(found.visible, before.visible)
        untouched = found.source != "corrected"
        assert np.array_equal(found.xy[untouched], before.xy[untouched])  # to the bit
        page.page.keyboard.press("Control+z")
        page.page.keyboard.press("Shift+A")
        page.page.keyboard.press("x")
        found = page.saved(tmp_path)
        assert found.source[0].tolist() == ["marked"] + ["corrected"] * 3
        assert np.array_equal(found.xy[0, [0, 1, 3]], before.xy[0, [0, 1, 3]])
        assert not found.present[0, 2] and found.by_hand[0, 2]  # said to be absent
        kept = before.with_marks(found)
        assert np.isnan(kept.xy[0, 2]).all() and kept.source[0, 2] == "corrected"


def test_with_the_keyboard_only(browser, pool, tmp_path):
    written = page_of(pool, tmp_path / "a.html", empty(pool, ["s", "n", "a"]))
    with Page(browser, written.path) as page:
        press = page.page.keyboard.press
        press("Enter")  # the crosshair, in the middle
        assert "crosshair" in page.said()
        press("Enter")
        assert page.said().startswith("s at 967.0, 1199.5")
        for key, times in (("ArrowRight", 3), ("Shift+ArrowUp", 2), ("Control+ArrowDown", 1)):
            for _ in range(times):
                press(key)
        press("n")
        press("x")  # n is absent
        press("PageDown")
        assert "image 2 of 2" in page.said()
        press("Enter")  # s is where it usually is
        press("Enter")
        press("Control+z")
        press("Control+Shift+z")
        found = page.saved(tmp_path)
        assert np.allclose(found.xy[0, 0], (967.3, 1207.5)) and np.isnan(found.xy[0, 1]).all()
        assert np.allclose(found.xy[1, 0], (967.3, 1207.5))
        assert found.source.tolist() == [["marked", "marked"], ["marked", ""]]
        press("h")
        assert page.page.is_visible("#help") and "Ctrl Shift Z" in page.text("keys")
        press("Escape")
        names = page.page.evaluate(
            "[...document.querySelectorAll('button, input, [role]')].filter("
            "e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)"
            ").map(e => e.id)"
        )
        assert names == ["status", "banner"] or names == ["banner"]  # their text is their name


def test_with_fingers(browser, pool, tmp_path):
    before = detected(pool)
    written = page_of(pool, tmp_path / "a.html", before)
    options = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with Page(browser, written.path, **options) as page:
        session = page.context.new_cdp_session(page.page)

        def touch(kind, *places):
            points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(places)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        x, y = page.at(before.xy[0, 1])
        touch("touchStart", (x + 12, y + 5))  # near it
        touch("touchMove", (x + 40, y + 40))
        touch("touchMove", (x + 62, y + 25))
        touch("touchEnd")
        scale = page.fitted()[2]
        expected = before.xy[0, 1] + np.array((50, 20)) / scale
        assert "n at " in page.said()
        assert np.abs(page.saved(tmp_path).xy[0, 1] - expected).max() <= 0.01
        percent = "document.getElementById('pointer').textContent.split('·')[1]"
        first = page.page.evaluate(percent)
        touch("touchStart", (300, 300))
        touch("touchStart", (300, 300), (400, 300))
        for k in range(1, 6):
            touch("touchMove", (300 - 20 * k, 300), (400 + 20 * k, 300))
        touch("touchEnd")
        now = page.page.evaluate(percent)
        ratio = float(now.strip(" %")) / float(first.strip(" %"))
        assert 2.7 < ratio < 3.3  # fingers three times as far apart
        found = page.saved(tmp_path)
        assert np.abs(found.xy[0, 1] - expected).max() <= 0.01  # pinching marks nothing
        assert (found.source == "corrected").sum() == 1


def test_hostile_names(browser, tmp_path):
    image = np.full((60, 80), 99, np.uint8)
    ids = ["</script><script>alert(1)</script>", '=cmd|"/C calc"!A0,\u202egnp.exe']
    names = ["<img src=x onerror=alert(1)>", "-->'\"]]>&amp;", "@sum,\n2", "'=a"]
    two = scp.datasets.arrays([image, image], ids=ids)
    written = page_of(two, tmp_path / "a.html", empty(two, names))
    with Page(browser, written.path) as page:
        page.page.on("dialog", lambda d: pytest.fail("a name was run"))
        for _ in ids:
            for k in range(len(names)):
                page.page.mouse.click(500 + 20 * k, 400)
            page.page.keyboard.press("PageDown")
        assert page.page.locator("#list img").count() == 0
        found = page.saved(tmp_path)
        assert found.ids == ids and found.names == names and found.present.all()
        file = next(tmp_path.glob("*.csv")).read_text()
        assert "\n'=cmd" not in file and "\"'=cmd" in file and "\"'@sum" in file


def test_two_runs_do_not_mix_and_a_browser_that_keeps_nothing_says_so(browser, pool, tmp_path):
    first = page_of(pool, tmp_path / "a.html", key="one")
    second = page_of(pool, tmp_path / "b.html", key="two")
    with Page(browser, first.path) as page:
        page.click(500, 400)
        page.page.goto(second.path.as_uri())
        page.url = second.path.as_uri()
        assert page.text("progress-text").startswith("0 of 19")
        page.requests.clear()
        page.context.add_init_script(
            "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})"
        )
        page.page.reload()
        assert "keeps nothing" in page.text("banner")
        page.click(500, 400)
        with page.page.expect_event("dialog") as waiting:
            page.page.close(run_before_unload=True)
        assert waiting.value.type == "beforeunload"
        waiting.value.accept()


def test_narrow(browser, pool, tmp_path):
    written = page_of(pool, tmp_path / "a.html", detected(pool))
    for width in (390, 1280):
        with Page(browser, written.path) as page:
            page.page.set_viewport_size({"width": width, "height": 800})
            wide = page.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width
            box = page.page.locator("#stage").bounding_box()
            assert box["height"] > 400 and box["width"] >= min(width, 900)


def test_on_a_real_cephalogram(browser, real_data, tmp_path):
    data = scp.datasets.cephalometric(real_data("cephalometric"))
    one, true = data.subset([0]), data.landmarks[0]
    written = page_of(one, tmp_path / "a.html", empty(one), rows=(0,))
    assert not written.smaller and written.size < 2 << 20
    with Page(browser, written.path) as page:
        for point in true:
            page.click(*(round(v) for v in page.at(point)))
        found = page.saved(tmp_path)
        apart = np.abs(found.xy[0] - true).max()
        assert apart <= 0.71 / page.fitted()[2] + NOBODY  # as near as pixels of the screen allow
