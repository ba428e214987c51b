"""Calibration texts as tables: JSON, YAML and TOML, read safely and never without a bound."""

import json
import re
import tomllib
import warnings
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning

from sensorfusion.errors import CalibrationError, SensorFusionError
from sensorfusion.formats.fields import Fields
from sensorfusion.formats.read_file import read_whole

MAX_BYTES = 1 << 20
_MAX_YAML_BYTES = 1 << 18  # its parser reads about 50 kB a second
_MATRIX_TAG = "!!opencv-matrix"
_DIRECTIVE = re.compile(r"\A%YAML[^\n]*\n")


def read_text(path: Path) -> str:
    """Read a calibration text of at most 1 MiB.

    Raises
    ------
    CalibrationError
        If the file cannot be read, is empty, larger, or not text.
    """
    try:
        data = read_whole(path, "a calibration", MAX_BYTES + 1)
    except SensorFusionError as error:
        raise CalibrationError(str(error)) from error
    if len(data) > MAX_BYTES:
        msg = f"{path}: found more than {MAX_BYTES} bytes; expected the text of a calibration"
        raise CalibrationError(msg)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: at byte {error.start}: found what is not UTF-8; expected a calibration text"
        raise CalibrationError(msg) from error
    return text.replace("\r\n", "\n")


def parse_json(text: str, path: Path) -> Fields:
    """Parse a JSON object.

    Raises
    ------
    CalibrationError
        If it does not parse, or nests too deeply.
    """
    try:
        return Fields(json.loads(text), path, text)
    except (ValueError, RecursionError) as error:
        msg = f"{path}: JSON that does not parse: {error}; mend the file"
        raise CalibrationError(msg) from error


def parse_toml(text: str, path: Path) -> Fields:
    """Parse a TOML document.

    Raises
    ------
    CalibrationError
        If it does not parse, or nests too deeply.
    """
    try:
        return Fields(tomllib.loads(text), path, text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"{path}: TOML that does not parse: {error}; mend the file"
        raise CalibrationError(msg) from error


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
    if len(text) > _MAX_YAML_BYTES:
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
