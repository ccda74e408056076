"""Networks of 3FabRec, files of them, and faces from pixels to landmarks."""

import json

import numpy as np
import pytest

import scp
from scp.cli.main import main
from scp.datasets.colour import face_square, read_colour
from scp.faces import EYES, networks, swaps_of
from scp.faces.released import NORM
from scp.faces.views import middle, squares, to_image
from tests.support import torchfiles

RNG = np.random.default_rng(5)


def faces(n=4, landmarks=68, side=96):
    """Grey squares with a bright spot at landmark 0."""
    images, points = [], RNG.uniform(0.2 * side, 0.8 * side, (n, landmarks, 2)).round()
    for p in points:
        image = RNG.integers(0, 60, (side, side), dtype=np.uint8)
        x, y = p[0].astype(int)
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
        images.append(image)
    return scp.datasets.arrays(images, [f"f{i}" for i in range(n)], landmarks=points)


@pytest.fixture(scope="module")
def model():
    training = {"batch": 2, "gan_from": 0.5, "structure_from": 1, "learning_rate": 1e-3}
    return scp.FaceAutoencoder(latent=6, width=2, training=training).fit(
        faces(), steps=3, progress=False
    )


# ---- networks ----


def test_sizes_are_the_published_ones():
    assert networks.encoder().n_parameters == 11_379_491
    assert networks.generator().n_parameters == 10_868_096
    assert networks.latent_discriminator().n_parameters == 1_102_001
    assert networks.discriminator().n_parameters == 1_743_744
    head = networks.head(98)
    assert sum(head.blocks[i, 1] for i in networks.moving(head)) == 911_360
    assert networks.encoder().shapes(256, 256)[:, 3].sum() == 1_316_013_568
    assert networks.generator().shapes(1, 1)[:, 3].sum() == 1_795_212_800


@pytest.mark.parametrize("size", networks.SIZES)
def test_maps_have_the_sizes_of_the_release(size):
    net = networks.autoencoder(size)
    shapes = [tuple(net.shapes(size, size)[k][:3].tolist()) for k in net.outputs]
    sides = [(8, 8, 256), (16, 16, 128), (32, 32, 64), (64, 64, 64)]
    assert shapes == [(1, 1, 99), *sides, (size, size, 3)]
    net = networks.detector(98, size)
    assert tuple(net.shapes(size, size)[net.outputs[0]][:3]) == (128, 128, 98)


def test_folded_blocks_are_the_generator(model):
    """With transfer layers that change nothing, what reaches the last layer is x4."""
    inner = model.model_
    tensors = dict(inner.network.tensors(inner.parameters, inner.state))
    for name, values in tensors.items():  # norms that do something
        if name.endswith(("gamma", "beta", "mean")):
            values += RNG.normal(0, 0.2, values.shape)
    for k, channels in ((1, 8), (2, 4), (3, 2), (4, 2)):
        tensors[f"t{k}.weight"] = np.zeros((3, 3, channels, channels), np.float32)
        tensors[f"t{k}.weight"][1, 1] = np.eye(channels)
    last = np.zeros((4, 4, 2, 2), np.float32)
    last[1, 1] = np.eye(2)  # takes pixel (y, x) of x4 to (2 y, 2 x)
    tensors["lin.weight"] = last
    net = networks.detector(2, **model.shape)
    parameters, state = networks.assemble(net, tensors)
    views = middle(squares(faces(), 128, 1.25)[0], 128)
    (maps,) = net.run(views, parameters, state)
    x4 = inner.run(views)[4]
    assert np.abs(x4).max() > 0.1
    np.testing.assert_allclose(maps[:, ::2, ::2], x4, atol=1e-4 * np.abs(x4).max())


@pytest.mark.parametrize("landmarks", [68, 98])
def test_a_mirror_twice_is_the_face(landmarks):
    swaps = swaps_of(landmarks)
    assert (swaps[swaps] == np.arange(landmarks)).all()
    assert swaps[EYES[landmarks][0]] == EYES[landmarks][1]
    assert (swaps == np.arange(landmarks)).sum() == 10
    assert swaps_of(5) is None


# ---- files ----


def test_files_keep_both_stages(model, tmp_path):
    model.save(tmp_path / "autoencoder.safetensors")
    again = scp.FaceAutoencoder.load(tmp_path)
    pool = faces()
    assert again.transform(pool).tobytes() == model.transform(pool).tobytes()
    assert again.training_options.set(steps=0) == model.training_options
    made = scp.FaceDetector(tmp_path, training={"batch": 2}).fit(pool, steps=2, progress=False)
    made.save(tmp_path / "faces.safetensors")
    found = scp.FaceDetector.load(tmp_path).predict(pool)
    assert found.xy.tobytes() == made.predict(pool).xy.tobytes()
    with pytest.raises(ValueError, match="a model of autoencoder, not of transfer"):
        scp.FaceDetector.load(tmp_path / "autoencoder.safetensors")


def released(model, change=None) -> dict[str, np.ndarray]:
    """The weights of a model under the names and in the layout of the release."""
    inner, out = model.model_, {}
    for name, values in inner.network.tensors(inner.parameters, inner.state).items():
        layer, _, what = name.rpartition(".")
        op = inner.network.layers[inner.network.names.index(layer)].op
        if op == "batch_norm":
            out[f"{layer}.{NORM[what]}"] = values.copy()
            continue
        if what == "weight":
            values = values.transpose((2, 3, 0, 1) if op == "transposed" else (3, 2, 0, 1))
            values = values[:, :, 0, 0] if layer.endswith(".fc") else values
        out[name] = np.ascontiguousarray(values)
    out["D.main.0.weight"] = np.ones((2, 2), np.float32)  # not read
    if change:
        change(out)
    return out


def test_the_released_file_is_read_without_running_it(model, tmp_path, monkeypatch):
    torchfiles.fake_torch(monkeypatch)
    path = tmp_path / "saae.mdl"
    content = torchfiles.state_dict(released(model))
    table = torchfiles.dumps({"arch": "AAE", "z_dim": 6, "state_dict": content})
    torchfiles.write_zip(path, content, table)
    again = scp.FaceAutoencoder.load(path)
    assert again.shape == model.shape
    pool = faces()
    np.testing.assert_array_equal(again.transform(pool), model.transform(pool))
    wrong = released(model, lambda found: found.pop("P.layer2.0.bn2.running_var"))
    torchfiles.write_zip(path, torchfiles.state_dict(wrong))
    with pytest.raises(ValueError, match=r"saae.mdl: P.layer2.0.bn2.running_var is missing"):
        scp.FaceAutoencoder.load(path)


# ---- training ----


def test_a_stopped_training_goes_on_with_the_bits_of_one(model, tmp_path):
    def stop(event):
        if event["event"] == "step" and event["step"] == 2:
            raise KeyboardInterrupt

    how = {**model.training, "log_every": 1, "checkpoint_seconds": 0.0}
    made = scp.FaceAutoencoder(latent=6, width=2, training=how)
    with pytest.raises(KeyboardInterrupt):
        made.fit(faces_again(), steps=4, run=tmp_path / "a", progress=False, callback=stop)
    made.fit(faces_again(), steps=4, run=tmp_path / "a", progress=False)
    whole = scp.FaceAutoencoder(latent=6, width=2, training=how).fit(
        faces_again(), steps=4, run=tmp_path / "b", progress=False
    )
    assert made.model_.digest() == whole.model_.digest()
    assert (tmp_path / "a" / "reconstructions.png").read_bytes()[:4] == b"\x89PNG"
    first, *_, last = (tmp_path / "a" / "autoencoder.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in (first, last)] == [1, 4]


def faces_again():
    """The same faces in every call."""
    image = np.add.outer(np.arange(96), np.arange(96)).astype(np.uint8)
    return scp.datasets.arrays([image, image.T[::-1].copy(), image[::-1].copy()], ["a", "b", "c"])


def test_it_learns_a_picture_and_a_landmark():
    """Few faces, many steps: the reconstruction comes near, and a landmark is where it is."""
    pool = faces(3)
    how = {"batch": 3, "learning_rate": 5e-3, "gan_from": 1e9, "structure_from": 1e9, "flip": 0.0}
    model = scp.FaceAutoencoder(latent=8, width=4, training={**how, "log_every": 1})
    losses = []
    model.fit(
        pool,
        steps=30,
        progress=False,
        callback=lambda e: e["event"] == "step" and losses.append(e["levels"][0]),
    )
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"size": 100}, "size must be 128 or 256"),
        ({"width": 3}, "width must be even"),
        ({"room": 0.5}, "room must be 1 to 4"),
        ({"training": {"gan_weight": -1}}, "gan_weight"),
    ],
)
def test_wrong_arguments_are_named(values, reason):
    with pytest.raises(ValueError, match=reason):
        scp.FaceAutoencoder(**values).fit(faces(), steps=1)


def test_what_is_missing_is_said(model):
    with pytest.raises(TypeError, match="autoencoder must be a trained"):
        scp.FaceDetector().fit(faces())
    with pytest.raises(ValueError, match="5 landmarks are called in a mirror"):
        scp.FaceDetector(model).fit(faces(landmarks=5), steps=1)
    pool = faces()
    lost = np.array(pool.landmarks)
    lost[1, 2] = np.nan
    with pytest.raises(ValueError, match="every landmark of every face"):
        scp.FaceDetector(model).fit(pool.with_landmarks(lost), steps=1)
    with pytest.raises(ValueError, match="images: at least 2 faces are needed, got 1"):
        scp.FaceAutoencoder().fit(pool.subset([0]), steps=1)


# ---- pixels ----


def test_colour_and_grey_files_are_read(tmp_path):
    import cv2

    colour = RNG.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "c.png"), colour[..., ::-1])
    cv2.imwrite(str(tmp_path / "g.png"), colour[..., 0])
    np.testing.assert_array_equal(read_colour(tmp_path / "c.png"), colour)
    np.testing.assert_array_equal(read_colour(tmp_path / "g.png"), colour[..., :1].repeat(3, 2))
    (tmp_path / "d.png").write_bytes((tmp_path / "c.png").read_bytes()[:200])
    with pytest.raises(scp.datasets.DatasetError, match=r"d\.png"):
        read_colour(tmp_path / "d.png")


def test_squares_and_views_keep_landmarks_in_place():
    pool = faces(side=80)
    for side in (160, 200):
        image, points = face_square(pool, 0, side, 128)
        assert image.shape == (side, side, 3)
        np.testing.assert_allclose(points, (pool.landmarks[0] + 0.5) * side / 80 - 0.5)
        back = to_image(points - (side - 128) // 2, pool, 0, side, 128)
        np.testing.assert_allclose(back, pool.landmarks[0])
        x, y = points[0].round().astype(int)
        assert image[y, x].min() > 200


# ---- the command line ----


def test_both_stages_by_the_command(tmp_path, capsys):
    import cv2

    (tmp_path / "faces").mkdir()
    source = faces(4, landmarks=5)
    for i, name in enumerate(source.ids):
        cv2.imwrite(str(tmp_path / "faces" / f"{name}.png"), source.image(i))
    rows = [f"f{i}.png," + ",".join(map(str, source.landmarks[i].ravel())) for i in range(2)]
    head = "image," + ",".join(f"{k}_{axis}" for k in "abcde" for axis in "xy")
    (tmp_path / "marks.csv").write_text("\n".join([head, *rows]) + "\n")
    run = ["--run", str(tmp_path / "run")]
    small = ["--set", "network.width=2", "--set", "network.latent=4", "--set", "batch=2"]
    images = str(tmp_path / "faces")
    assert main(["autoencode", images, *run, "--steps", "2", *small]) == 0
    out = capsys.readouterr().out
    assert "MiB of memory" in out and "--network fabrec" in out.splitlines()[-1]
    assert main(["reproduce", "table3", "--root", images, *run]) == 2  # no landmarks there
    words = ["supervise", images, *run, "--network", "fabrec", "--steps", "2", "--set", "batch=2"]
    words += ["--set", "flip=0", "--templates", str(tmp_path / "marks.csv")]
    assert main(words) == 2
    assert "--autoencoder" in capsys.readouterr().err
    assert main([*words, "--autoencoder", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "faces.safetensors").is_file()
    assert "5 landmarks in 4 images, learned from 2" in capsys.readouterr().out
    for table in ("autoencode", "transfer"):
        assert main(["info", "--options", table]) == 0
        assert "shrink" in capsys.readouterr().out
