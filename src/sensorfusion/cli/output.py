"""What commands write to stdout."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sensorfusion.errors import OutputError


def write_line(text: str = "") -> None:
    """Write a line to stdout."""
    sys.stdout.write(text + "\n")


def write_json(values: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout; NaN and infinity, which JSON lacks, are refused."""
    sys.stdout.write(json.dumps(values, indent=2, allow_nan=False) + "\n")


@contextmanager
def only_our_output() -> Iterator[None]:
    """Send to stderr what libraries write to the process's stdout behind Python's back.

    Open3D logs there; with ``--json`` a script would trip over it. What Python code writes in
    the block is sent along, so write results after it.
    """
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def prepare_folder(folder: Path) -> None:
    """Make an output folder, so that a mistake in its name shows before the work is done.

    Raises
    ------
    OutputError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror}); give --out another folder"
        raise OutputError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder}: cannot be written to; give --out a folder that is yours"
        raise OutputError(msg)
