"""What commands write to stdout."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sensorfusion.errors import OutputError


def write_line(text: str = "") -> None:
    """Write a line to stdout."""
    _write(text + "\n")


def write_json(values: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout; NaN and infinity, which JSON lacks, are refused."""
    _write(json.dumps(values, indent=2, allow_nan=False) + "\n")


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


def stdout_error(error: OSError) -> OutputError:
    """Return the sentence for a write to stdout that failed."""
    return OutputError(f"stdout cannot be written ({error.strerror}); send it to another place")


def stdout_fails() -> bool:
    """Say whether stdout takes no more; what is left for it is then thrown away.

    Python writes once more when it ends, and would report the same error in its own words.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise stdout_error(error) from error
