"""`plot()` of the results: matplotlib axes, with the numbers that the report draws."""

import dataclasses
import sys

import numpy as np
import pytest
from heads import heads

import scp
from scp.report import figures

plt = pytest.importorskip("matplotlib.pyplot")
from matplotlib.axes import Axes  # noqa: E402

POOL = scp.datasets.phantom(5, seed=3, size=(96, 80))
EXTRACTOR = scp.GradientExtractor(size=(64, 64))
NAN = np.nan


@pytest.fixture(autouse=True)
def no_figure_stays():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    made = scp.Run(POOL, features=EXTRACTOR, count=10, progress=False)
    made.select([1, 2, 3])
    return made


@pytest.fixture(scope="module")
def found(run):
    return run.detect([0, 1])


@pytest.fixture(scope="module")
def evaluation(found):
    return scp.evaluate(found, POOL, resamples=10, exclude=POOL.ids[:2])


@pytest.fixture(scope="module")
def measurements():
    return scp.measure(heads(6), "cephalometry", spacing=0.1, truth=heads(6, seed=4))


def drawings(run, found, evaluation, measurements):
    """name -> plot() of each result."""
    name = measurements.names[0]
    return {
        "Dataset": POOL.plot,
        "Run": run.plot,
        "Run without a choice": scp.Run(POOL, features=EXTRACTOR).plot,
        "Choice": run._choice.plot,
        "Selection": run._choice.selection.plot,
        "Detections": found.plot,
        "an image": lambda ax=None: found.plot(ax, image=2),
        "Evaluation": evaluation.plot,
        "landmarks": lambda ax=None: evaluation.plot(ax, kind="landmarks"),
        "Measurements": lambda ax=None: measurements.plot(ax, name=name),
        "Agreement": lambda ax=None: measurements.agreement.plot(ax, name=name),
    }


def test_all_draw_on_axes(run, found, evaluation, measurements):
    plt.close("all")  # of tests before this one
    for name, plot in drawings(run, found, evaluation, measurements).items():
        figure, ax = plt.subplots()
        assert plot(ax) is ax and plt.get_fignums() == [figure.number], name
        assert ax.has_data(), name
        figure.canvas.draw()
        plt.close(figure)
        own = plot()
        assert isinstance(own, Axes) and len(plt.get_fignums()) == 1, name
        plt.close(own.figure)
        with pytest.raises(TypeError, match="ax must be axes of matplotlib, got str"):
            plot("here")


def test_without_matplotlib_the_error_says_what_to_install(
    run, found, evaluation, measurements, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    plots = drawings(run, found, evaluation, measurements)
    for plot in [*plots.values(), measurements.plot, measurements.agreement.plot]:
        with pytest.raises(
            ImportError, match=r"plot\(\) needs matplotlib: pip install '.*\[plot\]'"
        ):
            plot()
    assert "<img" in found._repr_html_() and "<svg" in str(
        scp.report.plots.coverage_curve(run._choice.curve)
    )


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_the_curve_has_score_and_bound_of_each_m(run):
    ax, curve = run._choice.plot(), run._choice.curve
    drawn = lines(ax)
    assert drawn["score"].tolist() == [[s.m, s.score] for s in curve]
    assert drawn["certified bound"].tolist() == [[s.m, s.upper_bound] for s in curve]
    one = run._choice.selection.plot()
    picks = one.lines[0].get_xydata()
    assert np.allclose(picks[:, 1], np.cumsum(run._choice.selection.gains))
    unbound = dataclasses.replace(run._choice.selection, upper_bound=np.inf)
    assert "certified bound" not in lines(unbound.plot())


def test_the_errors_are_those_of_the_evaluation(evaluation):
    ax = evaluation.plot()
    radii, rates = ax.lines[-1].get_data()
    assert list(radii) == list(evaluation.radii) and np.allclose(rates, evaluation.rates)
    boxes = evaluation.plot(kind="landmarks")
    assert [t.get_text() for t in boxes.get_yticklabels()] == evaluation.names
    assert boxes.get_xlabel() == f"Error, {evaluation.unit}"
    medians = [np.median(column) for column in evaluation.errors.T]
    drawn = [x[0] for x in (l.get_xdata() for l in boxes.lines) if len(x) == 2 and x[0] == x[1]]
    assert set(np.round(medians, 9)) <= set(np.round(drawn, 9))
    with pytest.raises(ValueError, match="kind must be one of curve, landmarks, got 'bars'"):
        evaluation.plot(kind="bars")
    lost = dataclasses.replace(evaluation, errors=np.full(evaluation.errors.shape, np.inf))
    assert lost.plot().has_data() and isinstance(lost.plot(kind="landmarks"), Axes)


def test_an_image_is_drawn_in_its_own_pixels(found):
    ax = found.plot(image=POOL.ids[3])
    assert POOL.ids[3] in ax.get_title()
    assert np.array_equal(ax.collections[0].get_offsets(), found.xy[3])
    assert sorted(ax.get_xlim()) == [-0.5, 79.5] and ax.get_ylim() == (95.5, -0.5)
    for wrong in (-1, 5, "nobody"):
        with pytest.raises(ValueError, match="image"):
            found.plot(image=wrong)
    with pytest.raises(ValueError, match="do not know their images"):
        dataclasses.replace(found, images=None).plot(image=0)
    lost = scp.datasets.arrays([POOL.image(i) for i in range(5)], POOL.ids)
    lost.image = lost.depth = lambda i: 1 / 0
    with pytest.raises(ValueError, match=f"image {POOL.ids[0]} cannot be read"):
        dataclasses.replace(found, images=lost).plot(image=0)


def test_images_side_by_side():
    ax = POOL.plot(rows=[4, 0, 2], columns=2)
    assert len(ax.images) == 3 and [t.get_text() for t in ax.texts] == [
        POOL.ids[i] for i in (4, 0, 2)
    ]
    many = scp.datasets.arrays([np.full((8, 6), 99, np.uint8)] * 15)
    assert len(many.plot().images) == 12
    assert len(many.subset([]).plot().images) == 0
    many.image = many.depth = lambda i: 1 / 0
    assert [t.get_text() for t in many.plot(rows=[3]).texts] == ["cannot be read", "0003"]
    with pytest.raises(IndexError, match="image index 15"):
        many.plot(rows=[15])
    with pytest.raises(ValueError, match="columns"):
        many.plot(columns=0)


def test_all_measurements_have_axes_of_their_own(measurements):
    for result in (measurements, measurements.agreement):
        axes = result.plot()
        assert axes.shape == (len(result.names),) and len(plt.get_fignums()) == 1
        assert all(isinstance(ax, Axes) for ax in axes)
        axes[0].figure.canvas.draw()
        plt.close("all")
        with pytest.raises(ValueError, match="no measurement is called 'X'; there are"):
            result.plot(name="X")
        with pytest.raises(ValueError, match="name: axes that are given hold one measurement"):
            result.plot(plt.subplots()[1])
        plt.close("all")
    k = measurements.names.index("SNA")
    ax = measurements.plot(name="SNA")
    known = np.isfinite(measurements.values[:, k]).sum()
    assert sum(p.get_height() for p in ax.patches if p.get_label() != "usual") == known
    nothing = dataclasses.replace(measurements, values=np.full(measurements.values.shape, NAN))
    assert len(nothing.plot()) == len(measurements.names)
    assert len(nothing.agreement.plot()) == len(measurements.names)


def test_names_are_no_formulas():
    ax = figures.boxes(np.ones((2, 2)), ["a$b$", "<$>"], "x")
    ax.figure.canvas.draw()
    assert figures.plain("a$b") == r"a\$b"
