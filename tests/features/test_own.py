"""Features of people's own: vectors of whole images and maps, as arrays, files and functions."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from phantoms import write_images
from safetensors.numpy import save_file

import scp
from scp.cli import main
from scp.features import ImageVectors, MapExtractor, own_features
from scp.runs.arrays import map_npy, unpack_npz

POOL = scp.datasets.phantom(8, seed=0, size=(96, 80))
VECTORS = np.random.default_rng(0).normal(size=(8, 5))
COSINES = VECTORS @ VECTORS.T / np.outer(*[np.linalg.norm(VECTORS, axis=1)] * 2)


def cells(image: np.ndarray) -> np.ndarray:
    """Three channels of 8 x 8 pixels each, [3][H / 8][W / 8]."""
    blocks = image.reshape(image.shape[0] // 8, 8, image.shape[1] // 8, 8)
    return np.stack([blocks.mean((1, 3)) - 0.5, blocks.std((1, 3)), blocks[:, 0, :, 0] - 0.5])


def maps(pool=POOL, size=(96, 96)) -> np.ndarray:
    return np.stack([cells(pool.grid(i, size)) for i in range(len(pool))])


# ---- vectors ----


def test_vectors_are_chosen_by_their_cosines(tmp_path):
    run = scp.Run(POOL, tmp_path, features=VECTORS, progress=False)
    choice = run.select(2, method="exact", initial=[3], exclude=["002"])
    values = run.similarity()[0]
    assert np.allclose(values, np.clip(COSINES, 0, 1), atol=1e-6)
    best = max(
        np.clip(COSINES, 0, 1)[[3, a, b]].max(axis=0).mean()
        for a in range(8)
        for b in range(8)
        if 1 not in (a, b)
    )
    assert choice.selection.score == pytest.approx(best, abs=1e-6)
    assert scp.verify(tmp_path) and choice.offsets.tolist() == list(range(9))
    page = run.report().read_text()
    assert "no key points" in page and "own key points" not in page.lower()
    assert "Weakest key point" not in page and "cosine of their vectors" in page
    with pytest.raises(TypeError, match="say nothing of places"):
        run.detect([0])
    with pytest.raises(ValueError, match="no effect"):
        scp.Run(POOL, features=VECTORS, score="cycle")


def test_rows_go_by_id_where_there_are_ids(tmp_path):
    order = np.random.default_rng(1).permutation(8)
    ids = [POOL.ids[i] for i in order]
    expected = ImageVectors(VECTORS).of_images(POOL).unit(POOL)
    assert np.array_equal(ImageVectors(VECTORS).unit(POOL), expected)
    np.savez_compressed(tmp_path / "v.npz", ids=np.array(ids), vectors=VECTORS[order])
    np.save(tmp_path / "v.npy", np.asfortranarray(VECTORS[order].astype(">f8")))
    (tmp_path / "ids.txt").write_text("image\n" + "\n".join(f"{i}.png" for i in ids))
    lines = [
        ",".join([name, *map(repr, row.tolist())])
        for name, row in zip(ids, VECTORS[order], strict=True)
    ]
    (tmp_path / "v.csv").write_text("\n".join(["image,a,b,c,d,e", *lines]))
    (tmp_path / "plain.csv").write_text("\n".join(lines))
    save_file(dict(zip(ids, VECTORS[order], strict=True)), tmp_path / "v.safetensors")
    save_file({"vectors": VECTORS}, tmp_path / "rows.safetensors")
    for given in (
        ImageVectors(VECTORS[order], ids=ids),
        own_features(tmp_path / "v.csv"),
        own_features(tmp_path / "plain.csv"),
        own_features(tmp_path / "v.safetensors"),
        own_features(tmp_path / "rows.safetensors"),
        own_features(tmp_path / "v.npz"),
        own_features(str(tmp_path / "v.npy"), ids=tmp_path / "ids.txt"),
    ):
        assert np.array_equal(given.of_images(POOL).unit(POOL), expected)
    with pytest.warns(UserWarning, match="1 entries are of no image, the first is 'x'"):
        ImageVectors(np.ones((9, 2)), ids=[*ids, "x"]).of_images(POOL)


@pytest.mark.parametrize(
    ("vectors", "ids", "message"),
    [
        (VECTORS[:7], None, "7 rows for 8 images.*001, .., 008"),
        (VECTORS, [*POOL.ids[:7], "x"], "no features of image '008' .1 of 8"),
        (VECTORS, [*POOL.ids[:7], "001"], "'001' is there twice"),
        (VECTORS, POOL.ids[:7], "7 ids for 8 rows"),
        (VECTORS * [[0]] + np.eye(8, 5), None, "'006' is zero"),
        (np.where(np.eye(8, 5), np.nan, 1), None, "'001' is not finite"),
        (np.zeros((8, 0)), None, "1 to 131,072 numbers, not 0"),
        (np.full((8, 2), "x"), None, "must be numbers"),
    ],
)
def test_wrong_vectors_are_named(vectors, ids, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ImageVectors(vectors, ids=ids).of_images(POOL)


def test_a_changed_file_makes_the_similarity_anew(tmp_path):
    file = tmp_path / "v.npy"
    np.save(file, VECTORS)
    scp.Run(POOL, tmp_path / "run", features=file, progress=False).select(1)
    again = scp.Run(POOL, tmp_path / "run", features=file, progress=False)
    assert again.select(1).resumed == 8
    opened = scp.Run.open(tmp_path / "run", POOL)
    assert opened.whole_images and opened.select(1).resumed == 8
    np.save(file, VECTORS[::-1])
    assert scp.Run(POOL, tmp_path / "run", features=file, progress=False).select(1).resumed == 0
    np.save(file, VECTORS)
    with pytest.raises(ValueError, match="names others"):
        scp.Run.open(tmp_path / "run", POOL)
    scp.Run(POOL, tmp_path / "memory", features=VECTORS, progress=False).select(1)
    with pytest.raises(ValueError, match="values of Python"):
        scp.Run.open(tmp_path / "memory", POOL)


# ---- maps ----


def test_maps_take_the_place_of_built_in_features(tmp_path):
    """The levels of the gradient features, given as maps, are the same pyramid."""
    gradient = scp.GradientExtractor(size=(64, 64), levels=3, channels=16)

    def levels(image):
        pyramid = gradient.pyramid(image)
        return [pyramid.level(d)[0].transpose(2, 0, 1) for d in (2, 0, 1)]  # in any order

    own = MapExtractor(levels, size=(64, 64))
    assert (own.grid_size, own.levels, own.channels, own.unit) == ((64, 64), 3, 16, 8)
    image = POOL.grid(0, (64, 64))
    ours, theirs = own.pyramid(image), gradient.pyramid(image)
    assert np.abs(ours.features - theirs.features).max() < 1e-6
    options = {"count": 20, "progress": False, "epsilon": 0.0}
    choices = [scp.Run(POOL, None, features=f, **options).select(2) for f in (own, gradient)]
    assert choices[0].ids == choices[1].ids
    assert np.abs(choices[0].values - choices[1].values).max() < 1e-5
    found = [scp.Run(POOL, features=f, progress=False).detect([0, 1]) for f in (own, gradient)]
    assert np.median(np.abs(found[0].xy - found[1].xy)) < 1


def test_a_map_of_another_stride_covers_the_whole_image():
    own = MapExtractor(cells, size=(96, 112))
    assert own.image_size == (96, 112) and own.grid_size == (24, 28) and own.unit == 8
    run = scp.Run(POOL, features=own, count=20, progress=False)
    pool = run.points()
    assert len(pool.xy) == sum(len(p) for p in pool.points) > 40
    shape = np.array(POOL.shape(0)[::-1])
    back = (pool.points[0] + 0.5) * shape / (28, 24) - 0.5
    assert np.allclose(back, pool.xy[: len(back)], atol=1e-3)
    values, places = run.similarity()
    here = [int(p) for p in places[0, : pool.offsets[1]]]
    x, y = np.floor((pool.points[0] + 0.5) / 2).astype(int).T
    assert (values[0, : pool.offsets[1]] > 0.99).all() and np.mean(here == y * 14 + x) > 0.9


def test_maps_from_files_arrays_and_functions_agree(tmp_path):
    stack, size = maps(), (96, 96)
    np.save(tmp_path / "m.npy", stack.astype(np.float32))
    np.savez(tmp_path / "m.npz", ids=np.array(POOL.ids[::-1]), maps=stack[::-1])
    folder, levels = tmp_path / "folder", tmp_path / "levels"
    for path in (folder, levels):
        path.mkdir()
    for name, one in zip(POOL.ids, stack, strict=True):
        np.save(folder / f"{name}.npy", one)
        np.save(levels / f"{name}.1.npy", one)
        np.save(levels / f"{name}.0.npy", one[:2, ::2, ::2])
    code = tmp_path / "mine.py"
    code.write_text(
        "import numpy as np\n\ndef cells(image):\n"
        "    b = image.reshape(image.shape[0] // 8, 8, image.shape[1] // 8, 8)\n"
        "    return np.stack([b.mean((1, 3)) - 0.5, b.std((1, 3)), b[:, 0, :, 0] - 0.5])[None]\n"
    )
    expected = MapExtractor(cells, size=size).pyramid_of(POOL, 5)
    for given in (stack, tmp_path / "m.npy", tmp_path / "m.npz", folder, f"{code}:cells"):
        extractor = MapExtractor(given, size=size).of_images(POOL)
        found = extractor.pyramid_of(POOL.subset([5]), 0)
        assert np.abs(found.features - expected.features).max() < 1e-6, given
        copied = pickle.loads(pickle.dumps(extractor)).pyramid_of(POOL, 5)
        assert np.array_equal(copied.features, found.features)
    both = MapExtractor(levels, size=size).of_images(POOL)
    assert both.levels == 2 and both.grid_size == (24, 24)
    found = scp.Run(POOL, features=folder, progress=False).detect([0, 1])
    assert np.isfinite(found.xy).all()
    with pytest.raises(ValueError, match="views: features from files are of one size"):
        scp.Run(POOL, features=folder, progress=False).detect([0, 1], views=2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: np.zeros((9, 3)), r"\[C\]\[H\]\[W\].*tokens"),
        (lambda image: [np.ones((3, 8, 8)), np.ones((3, 24, 24))], "twice the rows"),
        (lambda image: [], "1 to 8 maps"),
        (
            lambda image: np.full((3, 4, 4), np.nan),
            "features of '000': nan at channel 0, cell .0, 0",
        ),
        (lambda image: np.ones((5000, 2, 2)), "at most 4096 channels"),
        (lambda image: 1 / 0, "the function fails for .*ZeroDivisionError"),
        (lambda image: np.ones((3, 4 + int(image[0, 0] > 0.02), 4)), "as for the others"),
    ],
)
def test_wrong_maps_are_named(function, message):
    bright = scp.datasets.arrays([np.full((32, 32), 99, np.uint8)] * 2, ids=["000", "001"])
    with pytest.raises((ValueError, RuntimeError), match=message):
        MapExtractor(function, size=(32, 32)).pyramid_of(bright, 0)


def test_a_zero_vector_is_similar_to_nothing():
    flat = MapExtractor(lambda image: np.zeros((2, 4, 4)), size=(32, 32))
    pyramid = flat.pyramid(np.zeros((32, 32), np.float32))
    assert not pyramid.norms.any() and not pyramid.features.any()


def test_what_is_known_of_a_function_changes_with_its_text_and_version(tmp_path):
    code = tmp_path / "f.py"
    seen = set()
    for text, version in (("1.0", ""), ("2.0", ""), ("2.0", "b")):
        code.write_text(f"import numpy as np\ndef f(x): return np.full((1, 4, 4), {text})\n")
        extractor = MapExtractor(f"{code}:f", version=version)
        seen.add(json.dumps(extractor.parameters()))
    assert len(seen) == 3
    for text, message in (("x = 1", "has no function f"), ("1 / 0", "fails: ZeroDivisionError")):
        code.write_text(text)
        with pytest.raises(ValueError, match=message):
            MapExtractor(f"{code}:f").check()
    with pytest.raises(ValueError, match="no file"):
        own_features(f"{tmp_path}/none.py:f").check()


# ---- files ----


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "v.npy"
    np.save(file, VECTORS)
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    with pytest.raises(ValueError, match=r"v\.npy: damaged: its header says 320 bytes.* are 312"):
        map_npy(file)
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"v\.npy: damaged: an array of Python objects"):
        own_features(file)
    packed = tmp_path / "v.npz"
    np.savez_compressed(packed, vectors=VECTORS)
    content = bytearray(packed.read_bytes())
    content[len(content) // 3] ^= 255
    packed.write_bytes(content)
    with pytest.raises(ValueError, match=r"v\.npz: damaged"):
        unpack_npz(packed)
    np.savez(packed, ids=np.array(["a"], object), vectors=VECTORS)
    with pytest.raises(ValueError, match="Python objects"):
        own_features(packed)
    with pytest.raises(ValueError, match=r"vectors .* or maps"):
        np.save(file, np.zeros((3, 4, 5)))
        own_features(file)


def test_tables_of_vectors_name_the_line_that_is_wrong(tmp_path):
    file = tmp_path / "v.csv"
    for text, said in (
        ("", "there are no vectors in it"),
        ("image,a,b\n", "there are no vectors in it"),
        ("image,a,b\nid,c,d\n", "line 2: a second line without numbers"),
        ("p0,1,2\np1,1\n", "line 2: 1 numbers, 2 in lines before"),
        ("p0,1,2\np1,1,\n", "line 2: column 3 is empty"),
        ("p0,1,2\np1,1,x\n", "line 2: column 3: 'x' is not a number"),
        ("p0,1,inf\n", "line 1: column 3: 'inf' is infinite"),
        ("p0,1\n,2\n", "line 2: the id is empty"),
        ("p0\np1\n", "line 1: an id and numbers are needed"),
        ("p0,1\np0,2\n", "the id 'p0' is there twice"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"v\.csv.*{said}"):
            own_features(file)
    file.write_text("\n".join(f"{name},1,{k}" for k, name in enumerate(POOL.ids[1:])))
    with pytest.raises(ValueError, match=rf"v\.csv: no features of image '{POOL.ids[0]}'"):
        own_features(file).of_images(POOL)
    with pytest.raises(ValueError, match="has the ids of its rows itself"):
        own_features(file, ids=POOL.ids)
    file = tmp_path / "v.safetensors"
    save_file({"a": np.ones(3), "b": np.ones(4)}, file)
    with pytest.raises(ValueError, match=r"v\.safetensors: vectors of 3 and of 4 numbers"):
        own_features(file)
    save_file({"a": np.ones((3, 4, 5))}, file)
    with pytest.raises(ValueError, match=r"v\.safetensors: a must be vectors \[N\]\[d\] or maps"):
        own_features(file)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"v\.safetensors: not a readable safetensors file"):
        own_features(file)
    with pytest.raises(ValueError, match=r"v\.txt: features are read from \.npy, .* files"):
        (tmp_path / "v.txt").write_text("1 2")
        ImageVectors(tmp_path / "v.txt")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (8, 1 << 26)}
    )
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("vectors.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(16):
            member.write(bytes(1 << 26))
    raw = path.read_bytes()
    assert len(raw) < 2 << 20
    with pytest.raises(ValueError, match=r"bomb\.npz: damaged: packed too well"):
        unpack_npz(path)


# ---- the command line ----


def test_the_command_line_takes_what_python_takes(tmp_path, capsys):
    images = write_images(tmp_path / "images", POOL)
    file = tmp_path / "v.npy"
    np.save(file, VECTORS)
    run = ["--run", str(tmp_path / "run"), "--quiet"]
    assert main(["select", str(images), "-m", "2", "--features", str(file), *run]) == 0
    said = capsys.readouterr().out
    assert "a vector of 5 numbers each" in said and "in their order, 001.png, .., 008.png" in said
    python = scp.Run(scp.datasets.folder(images), features=VECTORS, progress=False).select(2)
    content = json.loads((tmp_path / "run" / "selection.json").read_text())
    assert [entry["id"] for entry in content["selected"]] == python.ids
    assert (
        "scp detect" in said.replace("-m scp", "scp") and "--features" not in said.split("next:")[1]
    )
    assert (
        main(["detect", str(images), "--features", str(file), *run, "--template-ids", "001"]) == 2
    )
    assert main(["select", str(images), "--features", "gradiant", *run]) == 2
    assert "one of auto, trained, gradient" in capsys.readouterr().err
    folder = tmp_path / "maps"
    folder.mkdir()
    for name, one in zip(POOL.ids, maps(), strict=True):
        np.save(folder / f"{name}.npy", one)
    run[1] = str(tmp_path / "maps-run")
    command = ["select", str(images), "-m", "2", "--features", str(folder), "--size", "96", *run]
    assert main(command) == 0
    assert f"--features {folder} --size 96" in capsys.readouterr().out
