"""What every estimator that trains a network has in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..estimator import Estimator
from ..progress import Progress, of_training
from ..training import TrainedState
from .model import Model, save_model
from .network import Network


class NetworkEstimator(Estimator):
    """Base class: a network after `fit` or `load`, and the file of its weights.

    Attributes:
        model_: the `scp.networks.Model`. trained_: the `TrainedState` that the training returned.
    """

    _noun = "estimator"  # in messages
    _weights = ""  # name of the file of weights in a run folder
    _checkpoints = ""  # pattern of the names of the checkpoints there
    model_: Model
    trained_: TrainedState

    def _trained(self) -> Model:
        """The model; RuntimeError where there is none."""
        model = getattr(self, "model_", None)
        if model is None:
            raise RuntimeError(f"the {self._noun} is not trained yet: call fit or load")
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as one safetensors file (docs/reference/files.md)."""
        save_model(path, self._trained())

    def _anew(self, run: str | os.PathLike[str] | None) -> None:
        """Remove what earlier trainings left in a run folder."""
        if run is not None:
            for path in [*Path(run).glob(self._checkpoints), Path(run, self._weights)]:
                path.unlink(missing_ok=True)

    def _events(
        self,
        stage: str,
        run: str | os.PathLike[str] | None,
        progress: Progress,
        callback: Callable[[dict[str, Any]], object] | None,
        **more: Any,
    ) -> dict[str, Any]:
        """The arguments progress and callback of `run_job`. A training that starts anew first
        removes the weights of the one before; callback gets the events with `more`."""
        bar, take = of_training(progress, stage)

        def tell(event: dict[str, Any]) -> None:
            if event["event"] == "start" and event["step"] == 0 and run is not None:
                Path(run, self._weights).unlink(missing_ok=True)
            take(event)
            if callback is not None:
                callback({**event, **more})

        return {"progress": bar, "callback": tell}

    def _facts(self, options: Any) -> dict[str, Any]:
        """What the file of a model says of its training."""
        trained = self.trained_
        return {
            "steps": int(trained.step),
            "seconds": round(float(trained.seconds), 3),
            "losses": [round(float(v), 6) for v in trained.losses],
            "options": options.to_dict(),
        }

    def _keep(
        self,
        network: Network,
        size: tuple[int, int],
        made_of: tuple[str, Mapping[str, Any] | None],
        training,
        **facts: Any,
    ) -> None:
        """model_, of what was trained. made_of: the preset and the network's own options.
        training: its options. facts: what else is known about it."""
        trained, (preset, options) = self.trained_, made_of
        count = network.n_parameters
        self.model_ = Model(
            network,
            size,
            trained.parameters[:count].copy(),
            trained.arrays.get("state", np.zeros(network.n_state, np.float32)).copy(),
            preset,
            dict(options or {}),
            facts | self._facts(training),
        )
