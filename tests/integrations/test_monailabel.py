"""MONAI Label's strategy: against the package where it is installed (else skipped); what needs no
package always."""

import pytest
from phantoms import write_images

import scp
from scp.integrations import strategy
from scp.integrations.monailabel import next_chosen

POOL = scp.datasets.phantom(6, seed=0, size=(96, 80))


@pytest.fixture
def run(tmp_path):
    images = scp.datasets.folder(write_images(tmp_path / "images", POOL))
    stages = scp.Run(images, tmp_path / "run", count=20, progress=False)
    return stages, stages.select(3).ids


def test_the_next_chosen_image_is_the_first_that_waits(run):
    stages, chosen = run
    path = stages.path / "selection.json"
    bare = [name.removesuffix(".png") for name in stages.dataset.ids]  # as MONAI Label names them
    first = next_chosen(path, bare)
    assert first["id"] == chosen[0].removesuffix(".png") and first["pick"] == 1
    bare.remove(first["id"])
    assert next_chosen(path, bare)["id"] == chosen[1].removesuffix(".png")
    assert next_chosen(path, [name for name in stages.dataset.ids if name not in chosen]) is None


def test_monai_label_is_given_the_choice(run, tmp_path, caplog):
    pytest.importorskip("monailabel", reason="MONAI Label is not installed")
    from monailabel.datastore.local import LocalDatastore
    from monailabel.interfaces.datastore import DefaultLabelTag
    from monailabel.interfaces.tasks.strategy import Strategy

    stages, chosen = run
    store = LocalDatastore(str(tmp_path / "images"), extensions=["*.png"], auto_reload=False)
    task = strategy(stages)
    assert isinstance(task, Strategy) and "scp" in task.info()["description"]
    label = tmp_path / "label.json"
    for name in chosen:
        found = task({"strategy": "scp"}, store)
        assert store.get_image_uri(found["id"]).endswith(name)
        label.write_text("{}")
        store.save_label(found["id"], str(label), DefaultLabelTag.FINAL.value, {})
    with caplog.at_level("INFO"):
        assert task({}, store) is None
    assert "all chosen images" in caplog.text
    other = strategy(stages.path, fallback=lambda request, store: {"id": "another"})
    assert other({}, store) == {"id": "another"}
    with pytest.raises(ValueError, match="scp select chooses"):
        strategy(tmp_path)
