"""What a person can set for ``review``, in the form of ``pipeline/settings.py``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from pydantic import Field

from pipeline.validated import Record

_READ = Parameter(group=Group("What to read", sort_key=1))
_REVIEW = Parameter(group=Group("Review", sort_key=2))
_PAGE = Parameter(group=Group("Page", sort_key=3))
_OUTPUT = Parameter(group=Group("Output", sort_key=6))


class ReviewSettings(Record):
    """Settings of ``review``."""

    annotations: Annotated[Path | None, _READ] = None
    """Folder with captions_*.json and instances_*.json, for data that was not made here."""
    captions: Annotated[Path | None, _READ] = None
    """COCO-format captions file; may go alone."""
    instances: Annotated[Path | None, _READ] = None
    """COCO-format instances file; may go alone."""
    images: Annotated[Path | None, _READ] = None
    """Folder with the image files; no other folder's are shown. (default: the run's)"""
    reviewer: Annotated[str | None, _REVIEW] = None
    """Name that verdicts go under until another is typed into the page. (default: your login name)"""
    second_look: Annotated[float, _REVIEW] = Field(default=0.1, gt=0, le=1)
    """Share of the decided samples that a second look takes."""
    host: Annotated[str, _PAGE] = "127.0.0.1"
    """Address to listen on; any but this machine's own asks for the token in the link that is printed."""
    port: Annotated[int | None, _PAGE] = Field(default=None, ge=0, le=65535)
    """Port to listen on; 0 for any that is free. (default: 8770, or any that is free)"""
    browser: Annotated[bool, _PAGE, Parameter(negative="--no-browser")] = True
    """Open the page in the browser."""
    apply: Annotated[bool, _OUTPUT] = False
    """Write the samples with edits and verdicts in them, and open no page."""
    reviewed: Annotated[Literal["accepted", "not-rejected", "all"], _OUTPUT] = "not-rejected"
    """Samples that --apply writes; accepted and not-rejected leave out those that reviewers disagree on."""
    out: Annotated[Path | None, _OUTPUT] = None
    """Folder for what --apply writes. (default: <run>/reviewed, or outputs/<name of the file>-reviewed)"""
