"""Generated lateral skull radiographs with known landmarks."""

from .generate import phantom

__all__ = [
    "phantom",
]
