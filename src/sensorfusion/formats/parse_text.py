"""Calibration texts read with a bound, and JSON and TOML as tables."""

import json
import tomllib
from pathlib import Path

from sensorfusion.errors import CalibrationError, SensorFusionError
from sensorfusion.formats.fields import Fields
from sensorfusion.formats.read_file import read_whole

MAX_BYTES = 1 << 20


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
