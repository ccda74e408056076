"""Several templates say where a landmark is: one place from their votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..values import array

RULES = ("agreeing", "weighted", "median", "confident")
POWER = 8  # of the similarity in the weight of a vote
AGREE = 6.0  # pixels of the grid: votes further from the answer count less than half
STEPS = 50  # of the agreeing rule at most


def combine(
    xy: np.ndarray,
    similarity: np.ndarray,
    rule: str = "agreeing",
    distance: float | np.ndarray = 1,
    weights: Sequence[float] | None = None,
    trust: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One place from the votes of several templates.

    Args:
        xy: float [M][...][2]. similarity: float [M][...], NaN where there is no vote.
        rule: which.

            - "confident": the most similar vote alone, ties to the first (the paper, Eq. 3 and
              Eq. 4);
            - "weighted": the mean, weights similarity^8;
            - "median": of each coordinate;
            - "agreeing": the weighted mean again, each weight divided by 1 + (r / distance)^2 with
              r from the vote to the answer, repeated until a step moves neither of its coordinates
              by more than distance / 1000. So the templates that agree decide.
        distance: see "agreeing"; [...] or a number, in the unit of xy.
        weights: [M], how much each vote counts in both means; None: alike.
        trust: float [M][...] above 0, at most 1: how much each vote counts at all
            (`scp.detection.together`); None: 1. The median takes the votes of at least half the
            largest trust.

    Returns:
        xy float64 [...][2], NaN without a vote; confidence float64 [...] in [0, 1], the mean of the
        votes' trust * similarity / (1 + (r / distance)^2); vote int64 [...], the one that weighs
        most.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    xy, similarity = array(xy, "xy", absent=True), array(similarity, "similarity", absent=True)
    if xy.shape != (*similarity.shape, 2) or len(xy) == 0:
        raise ValueError(
            f"xy must be [M][...][2] and similarity [M][...], got {xy.shape} and {similarity.shape}"
        )
    if not np.all(np.asarray(distance) > 0):
        raise ValueError(f"distance must be above 0, got {distance}")
    voted = np.isfinite(similarity)
    nothing = ~voted.any(axis=0)
    similarity = np.where(voted, similarity, 0)
    xy = np.where(voted[..., None], xy, 0)
    weight = np.where(voted, np.maximum(similarity, 1e-9) ** POWER, 0)
    if weights is not None:
        weights = array(weights, "weights")
        if weights.shape != xy.shape[:1] or not np.all((weights > 0) & (weights < np.inf)):
            raise ValueError(f"weights must be {len(xy)} numbers above 0, got {weights}")
        weight *= weights.reshape(-1, *[1] * (weight.ndim - 1))
    sure = np.where(voted, 1.0 if trust is None else array(trust, "trust"), 0.0)
    weight = weight * sure
    if rule == "confident":
        best = np.where(voted, similarity * sure, -1).argmax(axis=0)
        answer = np.take_along_axis(xy, best[None, ..., None], axis=0)[0]
    elif rule == "median":
        asked = (voted & (sure >= sure.max(axis=0) / 2)) | nothing
        answer = np.nanmedian(np.where(asked[..., None], xy, np.nan), axis=0)
    else:
        answer = _mean(xy, weight)
    if rule == "agreeing":
        answer = _settled(xy, weight, answer, np.broadcast_to(distance, answer.shape[:-1]))
    agreement = _agreement(xy, answer, distance)
    confidence = (similarity * sure * agreement).sum(axis=0) / np.maximum(voted.sum(axis=0), 1)
    if rule != "confident":
        best = (weight * (agreement if rule == "agreeing" else 1)).argmax(axis=0)
    answer = np.where(nothing[..., None], np.nan, answer)
    return answer, np.where(nothing, 0, np.clip(confidence, 0, 1)), best


def _settled(xy, weight, answer, distance) -> np.ndarray:
    """The agreeing rule from a first answer on; only points that still move are computed."""
    m, shape = len(xy), answer.shape
    votes = np.ascontiguousarray(np.moveaxis(xy.reshape(m, -1, 2), 2, 0))  # [2][M][points]
    weight, last = weight.reshape(m, -1), np.ascontiguousarray(answer.reshape(-1, 2).T)
    reach, moving, found = distance.reshape(-1), np.arange(last.shape[1]), last.copy()
    for _ in range(STEPS):
        apart = votes - last[:, None]
        apart *= apart
        share = weight / (1 + (apart[0] + apart[1]) / reach**2)
        step = (votes * share).sum(axis=1) / np.maximum(share.sum(axis=0), 1e-300)
        found[:, moving] = step
        moves = np.abs(step - last).max(axis=0) > 1e-3 * reach
        if not moves.any():
            break
        last, moving, reach = step[:, moves], moving[moves], reach[moves]
        votes, weight = votes[:, :, moves], weight[:, moves]
    return found.T.reshape(shape)


def _mean(xy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    total = np.maximum(weight.sum(axis=0), 1e-300)
    return (xy * weight[..., None]).sum(axis=0) / total[..., None]


def _agreement(xy: np.ndarray, answer: np.ndarray, distance) -> np.ndarray:
    return 1 / (1 + ((xy - answer) ** 2).sum(axis=-1) / np.square(distance))
