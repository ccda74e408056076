"""What the parts of `scp reproduce` work on: one data set in one run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...runs.folder import WEIGHTS
from ..train import fit
from .data import load_data
from .parts import PARTS

if TYPE_CHECKING:
    from ...experiments import Data, Options, Study
    from ...experiments.costs import Costs
    from ...runs import RunFolder

MINUTES = 60.0  # of training where the run folder has no features


@dataclass(frozen=True)
class Job:
    """Attributes:
    args: of the command. run: the run folder; results go to `run / "reproduce"`.
    wanted: names of the parts. options: how is chosen and measured.
    data, study: made on first use; features that are missing are trained for the study.
    """

    args: object
    run: RunFolder
    wanted: Sequence[str]
    options: Options

    @property
    def progress(self):
        """See `scp.progress`."""
        return not self.args.quiet

    @property
    def folder(self) -> RunFolder:
        """Where the files of the parts go."""
        from ...experiments.study import FOLDER
        from ...runs import RunFolder

        return RunFolder(self.run / FOLDER)

    def sizes(self, name: str) -> list[int]:
        """Numbers of templates of a part."""
        return PARTS[name].sizes_of(self.args)

    def seeds(self, name: str) -> int:
        """Seeds of a part."""
        return PARTS[name].seeds_of(self.args)

    @cached_property
    def data(self) -> Data:
        test = any(PARTS[name].needs_test(self.args) for name in self.wanted)
        return load_data(self.args, test, self.folder, self.progress)

    @cached_property
    def costs(self) -> Costs:
        """What its parts take here."""
        from ...experiments.costs import Costs

        return Costs(
            self.data,
            self.options,
            self.run,
            None if self.needs_training() else self._features(),
            self.args.size or (384, 384),
        )

    def needs_training(self) -> bool:
        """Whether features are to be trained for the study."""
        return self.args.features == "trained" and not (self.run / WEIGHTS).is_file()

    def own_features(self) -> bool:
        """Whether all parts train their own features."""
        trained = self.args.features == "trained"
        return trained and all(PARTS[name].own_features for name in self.wanted)

    @property
    def minutes(self) -> float:
        """Of that training."""
        return MINUTES if self.args.minutes is None else self.args.minutes

    @cached_property
    def study(self) -> Study:
        from ...experiments import Study

        return Study(self.data, self._features(), self.run, self.options, self.progress)

    def _features(self):
        """The features in the run folder, trained there first if there are none."""
        from ...features import FeatureExtractor, GradientExtractor

        args = self.args
        if args.features == "gradient":
            return GradientExtractor(size=args.size or (384, 384))
        if self.own_features():
            return FeatureExtractor(preset=args.preset, size=args.size)
        if (self.run / WEIGHTS).is_file():
            extractor = FeatureExtractor.load(self.run.path)
            if args.size not in (None, extractor.grid_size):
                raise ValueError(
                    f"--size: the features in {self.run.path} are of {extractor.grid_size}"
                )
            if extractor.preset != args.preset:
                raise ValueError(
                    f"--preset: the features in {self.run.path} are of preset {extractor.preset}"
                )
            return extractor
        if not self.minutes > 0:
            raise ValueError(f"--minutes must be above 0: there are no features in {self.run.path}")
        extractor = FeatureExtractor(preset=args.preset, random_state=args.seed, size=args.size)
        args.json = False
        if not fit(extractor, self.data.train, self.run.path, args, minutes=self.minutes):
            raise KeyboardInterrupt
        return FeatureExtractor.load(self.run.path)
