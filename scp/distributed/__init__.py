"""Work on the images of a pool by many processes, on this machine or others: `connect`, `Workers`.

    workers = scp.distributed.connect("tcp://scheduler:8786")
    run = scp.Run(images, "runs/mine", workers=workers)

Any `concurrent.futures.Executor` does as well (docs/how-to/many-machines.md). Answers are the same
bits as in one process.
"""

from .cluster import connect
from .share import Share
from .training import train
from .workers import WorkerError, Workers, for_each

__all__ = ["Share", "WorkerError", "Workers", "connect", "for_each", "train"]
