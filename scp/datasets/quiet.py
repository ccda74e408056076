"""What pydicom says of a file on its own may quote the file, a patient's name say: held back."""

from __future__ import annotations

import logging
import threading
import warnings

_LOGGER = "pydicom"
_MODULES = r"pydicom|scp\.datasets\.dicom"


class Quiet:
    """Inside it pydicom neither warns nor logs, in whatever thread; what others say is heard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._filters = warnings.catch_warnings()
            self._filters.__enter__()
            warnings.filterwarnings("ignore", module=_MODULES)
            log = logging.getLogger(_LOGGER)
            self._level = log.level
            log.setLevel(logging.CRITICAL + 1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            self._filters.__exit__(None, None, None)
            logging.getLogger(_LOGGER).setLevel(self._level)
