"""What `scp reproduce all` says before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from .job import Job
from .parts import PARTS


def plan(job: Job, names: Sequence[str]) -> list[str]:
    """Lines: each part, how long it takes here, and what it shows; then all together."""
    if not any(PARTS[name].sizes for name in names):  # images of their own
        head = f"{job.args.root}; into {job.folder.path}:"
        return [head, *(_of_own_images(job, name) for name in names)]
    costs, lines, total, done = job.costs, [], 0.0, set()
    images = costs.images()
    memory, own = images.memory, 0
    if job.needs_training() and not job.own_features():
        total += 60 * job.minutes
        what = f"training, {job.args.preset}, on {len(job.data.train)} images"
        lines.append(_line("features", 60 * job.minutes, what))
    for name in names:
        part = PARTS[name]
        work = part.work(job) if part.work is not None else None
        if work is None:
            lines.append(_line(name, None, part.shows))
            continue
        seconds = work.seconds
        for shared in (s for s in work.shared if s not in done):
            done.add(shared)
            cost = getattr(costs, shared)()
            seconds, memory = seconds + cost.seconds, memory + cost.memory
        own, total = max(own, work.memory), total + seconds
        lines.append(_line(name, seconds, part.shows + (f", {work.note}" if work.note else "")))
    test = f", {costs.n_test} to measure on" if job.data.test is not None else ""
    head = f"{job.data.name}: {costs.n} images to choose from{test}; into {job.folder.path}:"
    last = f"together about {duration(total + images.seconds)}; memory: about "
    return [head, *lines, f"{last}{(memory + own) / 2**20:.0f} MiB beside that of the trainings"]


def _of_own_images(job: Job, name: str) -> str:
    """The line of a part that opens its images itself."""
    part = PARTS[name]
    if part.work is None:
        return _line(name, None, part.shows)
    work = part.work(job)
    return _line(name, work.seconds, part.shows + (f", {work.note}" if work.note else ""))


def _line(name: str, seconds: float | None, shows: str) -> str:
    about = "?" if seconds is None else duration(seconds)
    return f"  {name:10}{about:>9}  {shows}"


def duration(seconds: float) -> str:
    """ "40 s", "12 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
