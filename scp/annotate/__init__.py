"""The page on which landmarks are marked and corrected: one HTML file, self-contained and offline.

    from scp.annotate import write_page
    write_page("annotate.html", dataset=images, rows=[3, 1], points=landmarks, key="runs/mine")

Like the report it makes no request of any kind; names of images and landmarks are untrusted text.
"""

from .page import PAGE_SIZE, Written, write_page

__all__ = ["PAGE_SIZE", "Written", "write_page"]
