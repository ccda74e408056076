"""The contract of everything with `fit`: parameters, clones, copies, what is fitted."""

import copy
import functools
import pickle
import signal
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

import scp
from scp.estimator import Estimator

TRUNK = {"encoder": [16, 16, 32], "depths": [0, 1, 1], "decoder": [16, 16]}
NETWORK = {**TRUNK, "channels": 16}
SIZE = (64, 48)
NAMES = [name for name in scp.__all__ if hasattr(getattr(scp, name), "fit")]


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(4, seed=3, size=(120, 96))


def gradient():
    return scp.GradientExtractor(size=SIZE, levels=3, channels=16)


def trained():
    return scp.FeatureExtractor(
        size=SIZE, network=dict(NETWORK), training={"batch": 2, "points": 8, "window": 3}
    )


def faces():
    return scp.FaceAutoencoder(latent=4, width=2, training={"batch": 2})


@functools.cache
def trained_on_faces():
    return faces().fit(scp.datasets.phantom(2, seed=4, size=(96, 96)), steps=1, progress=False)


# How each is made, fitted to a pool, and what it then says of images.
MAKE = {
    "FaceAutoencoder": faces,
    "FaceDetector": lambda: scp.FaceDetector(
        autoencoder=trained_on_faces(), training={"batch": 2, "flip": 0.0}
    ),
    "FeatureExtractor": trained,
    "GradientExtractor": gradient,
    "LandmarkDetector": lambda: scp.LandmarkDetector(extractor=gradient(), views=2),
    "LandmarkRefiner": lambda: scp.LandmarkRefiner(
        size=SIZE, network=dict(TRUNK), training={"labelled": 1, "pseudo": 2}
    ),
    "SupervisedDetector": lambda: scp.SupervisedDetector(
        network="unet", size=(64, 64), options={"filters": 8}
    ),
    "TemplateSelector": lambda: scp.TemplateSelector(n_templates=2, method="exact"),
}
FIRST = {
    "FaceDetector": "autoencoder",
    "LandmarkDetector": "extractor",
    "TemplateSelector": "n_templates",
}  # without its name
FIT = {
    "FaceAutoencoder": lambda e, pool: e.fit(pool, steps=2, progress=False),
    "FaceDetector": lambda e, pool: e.fit(pool.subset([0, 1]), steps=2, progress=False),
    "FeatureExtractor": lambda e, pool: e.fit(pool, steps=2, progress=False),
    "GradientExtractor": lambda e, pool: e.fit(pool),
    "LandmarkDetector": lambda e, pool: e.fit(pool.subset([0])),
    "LandmarkRefiner": lambda e, pool: e.fit(
        pool, scp.Landmarks.of(pool), templates=[0], steps=2, progress=False
    ),
    "SupervisedDetector": lambda e, pool: e.fit(pool.subset([0, 1]), steps=2, progress=False),
    "TemplateSelector": lambda e, pool: e.fit(np.random.default_rng(0).random((9, 30))),
}


def answer(estimator, pool) -> list[np.ndarray]:
    """What a fitted estimator says, to the last bit."""
    if hasattr(estimator, "pyramid"):
        pyramids = estimator.transform(pool)
        return [a for p in pyramids for a in (p.features, p.norms)]
    if hasattr(estimator, "reconstruct"):
        return [estimator.transform(pool)]
    if hasattr(estimator, "predict"):
        found = estimator.predict(pool)
        assert isinstance(found, scp.Landmarks)
        return [found.xy, found.confidence]
    return [estimator.selected_, estimator.gains_]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def fitted(pool):
    return {name: FIT[name](MAKE[name](), pool) for name in NAMES}


def defaults(name: str) -> dict:
    return getattr(scp, name)._defaults()


def test_these_are_all():
    assert sorted(MAKE) == sorted(FIT) == sorted(NAMES)
    assert all(issubclass(getattr(scp, name), Estimator) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_constructor_takes_names_and_stores_what_it_gets(name):
    first = [object()] if name in FIRST else []
    with pytest.raises(TypeError, match="positional"):
        getattr(scp, name)(*first, "laptop")
    assert all(getattr(getattr(scp, name)(one), FIRST[name]) is one for one in first)
    given = {key: object() for key in defaults(name)}
    made = getattr(scp, name)(**given)
    assert all(made.get_params(deep=False)[key] is value for key, value in given.items())
    assert vars(made) == given


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_read_and_set(name):
    made = MAKE[name]()
    params = made.get_params(deep=False)
    again = getattr(scp, name)(**params)
    assert again.get_params() == made.get_params() and repr(again) == repr(made)
    assert again.set_params(**params) is again and again.get_params() == made.get_params()
    with pytest.raises(ValueError, match=f"{name} has no parameter 'nonsense'; there are: .+, "):
        made.set_params(nonsense=1)
    assert made.get_params(deep=False) == params


@pytest.mark.parametrize("name", NAMES)
def test_scikit_learn_clones_it(name, fitted):
    for estimator in (MAKE[name](), fitted[name]):
        params = estimator.get_params(deep=False)
        other = clone(estimator)
        assert type(other) is type(estimator) and other is not estimator
        assert repr(other) == repr(estimator)
        assert not [key for key in vars(other) if key not in params]
        mappings = [key for key, value in params.items() if isinstance(value, dict)]
        assert all(getattr(other, key) is not params[key] for key in mappings)


@pytest.mark.parametrize("name", NAMES)
def test_repr_shows_what_differs_from_the_defaults(name):
    text = repr(MAKE[name]())
    assert text.startswith(f"{name}(") and text.endswith(")")
    space = {key: getattr(scp, key) for key in NAMES}
    assert repr(eval(text, space)) == text
    if name != "LandmarkDetector":
        assert repr(getattr(scp, name)()) == f"{name}()"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_fitted_ends_in_an_underscore(name, fitted, pool):
    made = MAKE[name]()
    if name != "GradientExtractor":
        with pytest.raises(NotFittedError):
            check_is_fitted(made)
    check_is_fitted(fitted[name])
    new = set(vars(fitted[name])) - set(made.get_params(deep=False))
    assert all(key.endswith("_") or key.startswith("_") for key in new)
    again = copy.copy(fitted[name]).set_params(**made.get_params(deep=False))
    assert set(vars(again)) == set(made.get_params(deep=False)), "forgotten"


@pytest.mark.parametrize("name", NAMES)
def test_fit_says_the_same_again(name, fitted, pool):
    before = fitted[name].get_params()
    assert same(answer(FIT[name](MAKE[name](), pool), pool), answer(fitted[name], pool))
    assert fitted[name].get_params() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
def test_copies_say_the_same(name, copied, fitted, pool):
    assert repr(copied(MAKE[name]())) == repr(MAKE[name]())
    assert same(answer(copied(fitted[name]), pool), answer(fitted[name], pool))


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_with_it_is_shown(name, fitted):
    assert name in make_pipeline(fitted[name])._repr_html_()


def test_processes_of_joblib_say_the_same(fitted, pool):
    methods = {
        "FeatureExtractor": scp.FeatureExtractor.transform,
        "GradientExtractor": scp.GradientExtractor.transform,
        "LandmarkDetector": scp.LandmarkDetector.predict,
        "LandmarkRefiner": scp.LandmarkRefiner.predict,
    }
    jobs = (joblib.delayed(method)(fitted[name], pool) for name, method in methods.items())
    for name, said in zip(methods, joblib.Parallel(n_jobs=2, backend="loky")(jobs), strict=True):
        wanted = methods[name](fitted[name], pool)
        if isinstance(wanted, scp.Landmarks):
            assert said.xy.tobytes() == wanted.xy.tobytes(), name
        else:
            pairs = zip(said, wanted, strict=True)
            assert all(a.features.tobytes() == b.features.tobytes() for a, b in pairs), name


def test_threads_say_the_same(fitted, pool):
    for name in ("FeatureExtractor", "LandmarkRefiner", "LandmarkDetector"):
        wanted = answer(fitted[name], pool)
        with ThreadPoolExecutor(4) as threads:
            said = threads.map(lambda _, name=name: answer(fitted[name], pool), range(8))
        assert all(same(wanted, one) for one in said), name


def test_features_of_a_clone_are_shared(fitted, pool):
    extractor = fitted["FeatureExtractor"]
    detector = clone(scp.LandmarkDetector(extractor=extractor))
    assert detector.extractor is extractor
    assert clone(scp.LandmarkRefiner(start=extractor)).start is extractor
    assert detector.get_params()["extractor__size"] == SIZE
    detector.set_params(extractor__size=(96, 64))
    assert detector.extractor.grid_size == (96, 64) and extractor.grid_size == SIZE
    with pytest.raises(ValueError, match="no parameter 'mode__size'"):
        detector.set_params(mode__size=1)


def test_a_network_of_ones_own(pool, tmp_path):
    net = trained().architecture
    extractor = scp.FeatureExtractor(network=net, size=SIZE, training={"batch": 2, "points": 8})
    extractor.fit(pool, steps=1, progress=False).save(tmp_path / "own.safetensors")
    loaded = scp.FeatureExtractor.load(tmp_path / "own.safetensors")
    assert loaded.model_.preset == "" and same(answer(loaded, pool), answer(extractor, pool))
    assert same(answer(pickle.loads(pickle.dumps(loaded)), pool), answer(extractor, pool))
    assert clone(loaded).architecture.digest() == net.digest()
    again = loaded.fit(pool, steps=1, progress=False)
    assert again.start_ == f"the model {tmp_path / 'own.safetensors'}"


def test_a_run_stands_for_its_folder(pool, tmp_path):
    run = scp.Run(pool, tmp_path / "run", features=gradient(), keypoints="random", count=5)
    extractor = trained().fit(pool, steps=1, run=run, progress=False)
    assert scp.FeatureExtractor.load(run).parameters() == extractor.parameters()
    assert (tmp_path / "run/weights.safetensors").is_file()
    choice = run.select(1)
    assert scp.Run.open(run, pool).chosen() == [int(i) for i in choice.selection.selected]
    with pytest.raises(TypeError, match="this one has no folder"):
        trained().fit(pool, steps=1, run=scp.Run(pool, features=gradient()), progress=False)


def test_progress_of_trainings_is_told_to_a_function(pool):
    told = []
    made = trained().set_params(training={"batch": 2, "points": 8, "log_every": 1})
    made.fit(pool, steps=3, progress=lambda *words: told.append(words))
    assert told == [("training", done, 3) for done in range(4)]
    told.clear()
    refiner = MAKE["LandmarkRefiner"]().set_params(training={"log_every": 1})
    refiner.fit(
        pool,
        scp.Landmarks.of(pool),
        templates=[0],
        steps=1,
        rounds=2,
        progress=lambda *words: told.append(words),
    )
    assert told == [(f"refinement, round {r}", done, 1) for r in (1, 2) for done in (0, 1)]

    def stop(*_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        trained().fit(pool, steps=3, progress=stop)


def test_threads_are_counted():
    before = scp.get_threads()
    scp.set_threads(1)
    assert scp.get_threads() == 1
    scp.set_threads(0)
    assert scp.get_threads() >= 1
    scp.set_threads(before)


def test_all_public_names_are_there():
    assert sorted(scp.__all__) == scp.__all__ == sorted(set(scp.__all__))
    assert all(hasattr(scp, name) for name in scp.__all__)
    assert set(scp.__all__) <= set(dir(scp))


def test_a_selector_is_searched_for_its_parameters(fitted):
    values = np.random.default_rng(0).random((24, 30))
    grid = {"n_templates": [1, 3], "method": ["greedy", "exact"]}
    for scoring in (None, lambda e, values, y=None: e.score_):
        found = GridSearchCV(scp.TemplateSelector(), grid, cv=3, scoring=scoring).fit(values)
        assert found.best_params_["n_templates"] == 3 and np.isfinite(found.best_score_)
    selector = fitted["TemplateSelector"]
    same = np.random.default_rng(0).random((9, 30))
    assert selector.score(same) == make_pipeline(selector).score(same) == selector.score_
    with pytest.raises(TypeError, match=r"n_templates must be a whole number, got 1\.5"):
        scp.TemplateSelector(n_templates=1.5).fit(same)
    with pytest.raises(TypeError, match=r"n_templates must be a whole number, got \[1, 2\]"):
        scp.TemplateSelector(n_templates=[1, 2]).fit(same)
    free = scp.TemplateSelector(n_templates=None).fit(same, costs=np.ones(9), budget=4)
    assert len(free.selected_) == 4


def refine(pool, **change):
    given = {"templates": [0], "steps": 1, "progress": False, **change}
    return MAKE["LandmarkRefiner"]().fit(pool, scp.Landmarks.of(pool), **given)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda p: trained().fit(p, steps="2"), "steps must be a whole number, got '2'"),
        (lambda p: trained().fit(p, steps=1.5), "steps must be a whole number, got 1.5"),
        (lambda p: trained().fit(p, minutes="2"), "minutes must be a number, got '2'"),
        (lambda p: trained().fit(None, steps=1), "images must be a data set .+ got None"),
        (lambda p: trained().fit("xrays", steps=1), r"scp\.datasets\.folder.+ got 'xrays'"),
        (lambda p: trained().fit(p, steps=1, progress=3), "progress must be None, .+ got 3"),
        (lambda p: scp.FeatureExtractor(network=3).check(), "network must be a mapping"),
        (lambda p: scp.FeatureExtractor(start=3).fit(p, steps=1), "start must be a file"),
        (lambda p: refine(p, templates=None), "templates must be landmarks, .+ got None"),
        (lambda p: refine(p, templates="000"), "templates must be landmarks, .+ got '000'"),
        (lambda p: scp.Landmarks.of(None), "dataset must be a data set"),
        (lambda p: refine(p, rounds=1.5), "rounds must be a whole number, got 1.5"),
        (lambda p: refine(p, rounds="2"), "rounds must be a whole number, got '2'"),
        (
            lambda p: scp.LandmarkRefiner().fit(None, scp.Landmarks.of(p)),
            "images must be a data set .+ got None",
        ),
        (lambda p: scp.LandmarkRefiner(start=gradient()).fit(p, scp.Landmarks.of(p)), "start must"),
        (lambda p: scp.LandmarkDetector(extractor=None).fit(p), "extractor must be a trained"),
        (lambda p: scp.LandmarkDetector(extractor="gradient").fit(p), "extractor must be a tra"),
        (lambda p: scp.LandmarkDetector(extractor=scp.GradientExtractor).fit(p), "extractor must"),
        (lambda p: MAKE["LandmarkDetector"]().fit(p).predict(None), "images must be a data set"),
        (lambda p: MAKE["LandmarkDetector"]().fit_predict(p, None), "templates must be landm"),
        (lambda p: scp.Run(p, features=3), "features must be a trained .+ got 3"),
        (lambda p: scp.Run(p, features=None), "features must be a trained .+ got None"),
        (lambda p: scp.Run("xrays"), "dataset must be a data set, .+ got 'xrays'"),
        (lambda p: scp.Run(p, features=gradient(), count=1.5), "count must be a whole number"),
        (lambda p: scp.choose(p, 1.5, features=gradient()), "m must be a whole number, got 1.5"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_by_name(call, words, pool):
    with pytest.raises(TypeError, match=words):
        call(pool)


def test_an_interrupted_fit_raises_and_says_how_far_it_is(pool, tmp_path):
    def ctrl_c(event):
        if event["event"] == "step":
            signal.raise_signal(signal.SIGINT)

    for run in (None, tmp_path / "run"):
        for make, fit, file in (
            (trained, lambda e, **o: e.fit(pool, **o), "checkpoint.safetensors"),
            (
                MAKE["LandmarkRefiner"],
                lambda e, **o: e.fit(pool, scp.Landmarks.of(pool), templates=[0], rounds=2, **o),
                "refine1.checkpoint.safetensors",
            ),
        ):
            made = make()
            made.set_params(training={**made.training, "log_every": 1})
            with pytest.raises(KeyboardInterrupt, match="stopped after step 1, 25% of it"):
                fit(made, steps=4, run=run, progress=False, callback=ctrl_c)
            assert made.trained_.step == 1 and not made.trained_.finished
            assert "stopped at 25%, 1 steps" in repr(made.trained_) and answer(made, pool)
            assert run is None or (run / file).is_file()
            fit(made, steps=4, run=run, progress=False)
            assert made.trained_.finished and made.trained_.step == 4


def test_bars_are_drawn_in_notebooks(pool, monkeypatch, capsys):
    extractor = trained()
    extractor.fit(pool, steps=2)
    assert capsys.readouterr().err == "", "a script is silent"
    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: types.SimpleNamespace(kernel=None)
    shell.display = types.ModuleType("IPython.display")
    shown = []
    handle = types.SimpleNamespace(update=lambda content, raw: shown.append(content["text/plain"]))
    shell.display.display = lambda content, raw, display_id: handle
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell.display)
    extractor.fit(pool, steps=2)
    assert shown[-1].startswith("train: done, step 2, 0:0")
    shown.clear()
    extractor.fit(pool, steps=2, progress=False)
    assert shown == [] and capsys.readouterr().err == ""
    shell.get_ipython = lambda: types.SimpleNamespace()  # the IPython of a terminal
    extractor.fit(pool, steps=2)
    assert capsys.readouterr().err == ""
