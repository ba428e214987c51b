"""What commands write to stdout."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


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
