"""Commands of scp that are ended by a signal, at a file event or after a time, or whose files may
not grow beyond a limit. Run as a program: it reads a line of JSON per command and answers with one.
Each command is a fork of this process, so that it does not begin with the imports.

    {"words": ["select", ..], "folder": DIR, "number": 9, "event": 7}     before the 7th file event
    {"words": ["select", ..], "folder": DIR, "number": 15, "delay": 0.2}  after 0.2 s
    {"words": ["select", ..], "folder": DIR, "limit": 5000}               bytes of a file
    {"code": -9, "events": .., "seconds": .., "error": ".."}
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import sys
import threading
import time
import traceback

from scp import cli

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.truncate", "os.link", "os.symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Events:
    """Counts what happens to the files of a folder, and ends the process before one of them."""

    def __init__(self, folder: str, number: int, last: int | None):
        self.folder, self.number, self.last, self.count = os.path.realpath(folder), number, last, 0
        self.seen = mmap.mmap(-1, 8)  # shared with the parent

    def hook(self, name: str, args: tuple) -> None:
        if name == "open":
            if not isinstance(args[2], int) or not args[2] & WRITES:
                return
        elif name not in CHANGES:
            return
        path = args[0] if isinstance(args[0], (str, bytes, os.PathLike)) else ""
        if os.path.realpath(os.fsdecode(path)).startswith(self.folder):
            self.event()

    def event(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self.count += 1
        self.seen[:] = self.count.to_bytes(8)
        if self.count == self.last:
            os.kill(os.getpid(), self.number)


def _run(words: list[str], events: Events, delay: float | None) -> None:
    """In the child."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    to_disk = os.fsync

    def fsync(descriptor) -> None:
        events.event()
        to_disk(descriptor)
        events.event()

    os.fsync = fsync
    sys.addaudithook(events.hook)
    if delay is not None:

        def later() -> None:
            time.sleep(delay)
            os.kill(os.getpid(), events.number)

        threading.Thread(target=later, daemon=True).start()
    code = 1
    try:
        code = cli.main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def command(words, folder, number=0, event=None, delay=None, limit=None) -> dict:
    error, written = os.pipe()  # what is said fits into it
    events = Events(folder, number, event)
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream, file in enumerate((nothing, nothing, written)):
            os.dup2(file, stream)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        _run(words, events, delay)
    os.close(written)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(error, encoding="utf-8", errors="replace") as said:
        return {
            "code": status,
            "events": int.from_bytes(events.seen[:]),
            "seconds": time.perf_counter() - start,
            "error": said.read(),
        }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(command(**json.loads(line))), flush=True)
