"""Landmarks found, in the report and in figures."""

from __future__ import annotations

import re

import numpy as np
import pytest

import scp
from scp.report import landmarks_in, plots, show_landmarks, write_report


def found_in(images, rows=None, **columns):
    """Landmarks two pixels beside the true ones."""
    rows = range(len(images)) if rows is None else rows
    ids = [images.ids[i] for i in rows]
    return scp.Landmarks(
        ids, list(images.landmark_names), images.landmarks[list(rows)] + 2, **columns
    )


def test_drawing_of_landmarks_found():
    images = scp.datasets.phantom(3, seed=0)
    found = found_in(images, confidence=np.full((3, 19), 0.5))
    drawing = str(plots.found_landmarks(images, found, [2, 0], truth=images.landmarks))
    names = re.findall(r'class="name"[^>]*>([^<]*)<', drawing)
    assert names == [images.ids[2], "confidence 0.50", images.ids[0], "confidence 0.50"]
    assert drawing.count("<title>predicted<") == drawing.count("<title>true<") == 2 * 19
    x, y = images.landmarks[2, 0] + 0.5
    assert f'cx="{x:.1f}" cy="{y:.1f}"' in drawing
    assert "<title>true<" not in str(plots.found_landmarks(images, found, [1]))
    with pytest.raises(ValueError, match="rows: expected"):
        plots.found_landmarks(images, found, [])


def report(tmp_path, landmarks=None):
    """A report of twelve phantoms, the templates 3 and 7."""
    images = scp.datasets.phantom(12, seed=0)
    offsets = np.arange(0, 49, 4)
    values = np.random.default_rng(0).random((12, 48)).astype(np.float32)
    selection = scp.select(values, 2, include=[3, 7])
    points = np.tile(np.float32([[50, 60], [90, 90], [120, 200], [200, 220]]), (12, 1))
    path = tmp_path / "report.html"
    write_report(
        path,
        dataset=images,
        keypoints_xy=points,
        offsets=offsets,
        values=values,
        selection=selection,
        landmarks=landmarks,
    )
    return images, path


def uncertain(images, rows=range(12)):
    """Image 5 is the least certain, and in it landmark 4; landmark 2 is absent from image 6."""
    confidence, error = np.full((12, 19), 0.8), np.full((12, 19), 2.5)
    confidence[5], confidence[5, 4], error[5] = 0.3, 0.11, 6.0
    found = found_in(images, confidence=confidence, error=error)
    found.xy[6, 2] = np.nan
    return found.rows([images.ids[i] for i in rows])


def section_of(path):
    return path.read_text().partition('<section id="landmarks"')[2].partition("</section>")[0]


def test_report_without_landmarks_says_how_to_find_them(tmp_path):
    _, path = report(tmp_path)
    assert "None yet" in section_of(path) and "scp detect" in section_of(path)
    assert "<img" not in section_of(path)


def test_report_shows_landmarks_on_templates_and_doubtful_images(tmp_path):
    images = scp.datasets.phantom(12, seed=0)
    _, path = report(tmp_path, uncertain(images))
    said = section_of(path)
    shown = re.findall(r'alt="Landmarks found in image (\w+)"', said)
    assert sorted(shown[:2]) == [images.ids[3], images.ids[7]]
    assert shown[2] == images.ids[5]
    assert len(shown) == 10 and len(set(shown)) == 10
    assert f"{images.landmark_names[4]}, 0.11" in said
    assert "expected error 2.5 px" in said
    every = 19 * 12 - 1  # on the pages of all images
    assert said.count("<circle") == 19 * 10 - (images.ids[6] in shown) + every
    first = re.search(r'<th scope="row">(.*?)</th><td class="n">(\d+)</td>', said)
    assert first.groups() == (images.landmark_names[4], "10")


def test_landmarks_come_into_a_report_that_is_there(tmp_path):
    images, path = report(tmp_path)
    found = uncertain(images)
    assert show_landmarks(path, images, found, [3, 7])
    later = path.read_bytes()
    report(tmp_path, found)
    assert path.read_bytes().count(b"<img") == later.count(b"<img")
    assert section_of(path).count('<figure class="zooms">') == 10 + 12
    assert show_landmarks(path, images, found, [3, 7])
    assert show_landmarks(path, images, found_in(images), [3])  # no confidence, no error
    assert "Confidence" not in section_of(path) and "Expected" not in section_of(path)
    path.write_text("<p>another page</p>")
    assert not show_landmarks(path, images, found, [3])
    assert path.read_text() == "<p>another page</p>"
    assert not show_landmarks(tmp_path / "none.html", images, found, [3])


def test_landmarks_of_some_images_only(tmp_path):
    images = scp.datasets.phantom(12, seed=0)
    _, path = report(tmp_path, uncertain(images, [5, 6]))
    assert re.findall(r'alt="Landmarks found in image (\w+)"', section_of(path)) == [
        images.ids[5],
        images.ids[6],
    ]


def test_names_in_the_section_are_escaped(tmp_path):
    images, path = report(tmp_path)
    names = ["<!-- end of landmarks -->", "<script>"]
    found = scp.Landmarks(images.ids, names, np.full((12, 2, 2), 20.0), np.full((12, 2), 0.5))
    assert show_landmarks(path, images, found, [3])
    before = path.read_bytes()
    assert b"&lt;script&gt;" in before and b"<script>" not in section_of(path).encode()
    assert show_landmarks(path, images, found, [3]) and path.read_bytes() == before


def test_landmarks_in_the_run_folder_are_taken_or_named(tmp_path):
    images, path = scp.datasets.phantom(2, seed=0), tmp_path / "landmarks.csv"
    assert landmarks_in(path, images.ids) == (None, [])
    scp.write_landmarks(path, found_in(images))
    found, problems = landmarks_in(path, images.ids)
    assert np.array_equal(found.xy, found_in(images).xy) and problems == []
    path.write_text("image,landmark,x,y\n001,sella,3,far\n")
    found, (problem,) = landmarks_in(path, images.ids)
    assert found is None and problem.startswith("landmarks.csv is not shown: ")
    assert "line 2" in problem


def test_all_images_stand_on_pages_and_say_who_gave_their_points(tmp_path):
    images = scp.datasets.phantom(12, seed=0)
    marks = scp.Landmarks.of(images).rows([images.ids[1]])
    moved = scp.Landmarks(
        [images.ids[5]],
        [images.landmark_names[0]],
        np.array([[[40.0, 50.0]]]),
        source=[["corrected"]],
    )
    found = uncertain(images).with_marks(marks).with_marks(moved)
    _, path = report(tmp_path)
    steps = [("Look <here>:", "scp detect 'my images' --run x")]
    # the source says which were annotated, whatever is claimed
    assert show_landmarks(path, images, found, [3, 7], steps=steps, remark="hardly & trained")
    page = path.read_text()
    said = section_of(path)
    every = re.findall(r'alt="Landmarks in image (\w+)"', said)
    assert sorted(every) == sorted(images.ids) and set(every[-2:]) == {images.ids[1], images.ids[5]}
    tiles = re.findall(r'<figure class="zooms">.*?</figure>', said, flags=re.S)
    own = [t for t in tiles if f'in image {images.ids[1]}"' in t]
    assert len(own) == 2 and all(t.count('class="marked"') == 19 for t in own)
    other = [t for t in tiles if f'in image {images.ids[5]}"' in t]
    assert all(t.count('class="corrected"') == 1 and t.count('class="spot"') == 18 for t in other)
    assert "hardly &amp; trained" in said and "Look &lt;here&gt;:" in page
    assert "scp detect &#39;my images&#39; --run x" in page
    assert '<dialog id="zoom"' in page and page.count("<details") == 1
    assert show_landmarks(path, images, found, [3], steps=[("Then that.", "")])
    assert "Look &lt;here&gt;" not in path.read_text() and "Then that." in path.read_text()


@pytest.mark.parametrize("count, pages, side", ((30, 2, 320), (200, 9, 240), (1005, 42, 176)))
def test_pictures_of_many_images_are_small_and_not_too_many(count, pages, side):
    from scp.report.found import section

    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (400, 300), dtype=np.uint8)] * count
    images = scp.datasets.arrays(pictures)
    points = scp.Landmarks(images.ids, ["p"], np.full((count, 1, 2), 9.0))
    said = section(images, points, np.array([0]))
    shown = re.findall(
        r'<img src="[^"]*" width="(\d+)" height="(\d+)" alt="Landmarks in image', said
    )
    assert len(shown) == min(count, 1000) and {h for _, h in shown} == {str(side)}
    assert said.count("<details") == pages
    assert ("5 further images not shown" in said) == (count > 1000)
