"""YAML as tables, read safely: plain values only, of a bounded text."""

import re
import warnings
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning

from sensorfusion.errors import CalibrationError
from sensorfusion.formats.fields import Fields

_MOST_CHARACTERS = 1 << 18  # the parser reads about 300,000 a second
_MATRIX_TAG = "!!opencv-matrix"
_DIRECTIVE = re.compile(r"\A%YAML[^\n]*\n")


def parse_yaml(text: str, path: Path) -> Fields:
    """Parse a YAML mapping of plain values, or what OpenCV's FileStorage writes as YAML.

    FileStorage begins with ``%YAML:1.0``, which is no directive of YAML, and marks matrices as
    ``!!opencv-matrix``: both are taken away, a matrix is then a table of rows, cols, dt and data.
    Other marks (``!!python/object``) are refused; nothing that a file names is ever made.

    Raises
    ------
    CalibrationError
        If it does not parse, nests too deeply, holds a mark, or is larger than 256 KiB.

    References
    ----------
    YAML 1.2.2; OpenCV documentation, "XML/YAML/JSON file storages".
    """
    if len(text) > _MOST_CHARACTERS:
        msg = f"{path}: YAML of {len(text)} characters; expected a calibration of at most 256 KiB"
        raise CalibrationError(msg)
    plain = _DIRECTIVE.sub("\n", text).replace(_MATRIX_TAG, " " * len(_MATRIX_TAG))
    try:
        with warnings.catch_warnings():
            # What the parser only warns of (a name given twice) is no calibration either.
            warnings.simplefilter("error", YAMLWarning)
            documents = list(YAML(typ="safe", pure=True).load_all(plain))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark is not None else ""
        msg = f"{path}: {line}YAML that does not parse: {_one_line(error.problem)}; mend the file"
        raise CalibrationError(msg) from error
    # The parser lets what Python says of odd numbers and dates through.
    except (YAMLError, YAMLWarning, ValueError, RecursionError, TypeError, KeyError) as error:
        msg = f"{path}: YAML that does not parse: {_one_line(str(error))}; mend the file"
        raise CalibrationError(msg) from error
    filled = [document for document in documents if document is not None]
    if len(filled) != 1:
        msg = f"{path}: {len(filled)} YAML documents; expected one"
        raise CalibrationError(msg)
    return Fields(filled[0], path, text)


def _one_line(text: str | None) -> str:
    return " ".join((text or "unknown reason").split())[:200]
