"""Every error that the package raises on purpose.

::

    SensorFusionError
    +-- SourceError                  a recording, folder or camera cannot be opened or read
    |   +-- CorruptRecordingError    its bytes are not what its format says they must be
    |   +-- UnsupportedRecordingError  it is sound, but holds something that is not read yet
    +-- DriverError                  no such driver, no such option, a broken plug-in
    +-- CalibrationError             a camera model, transform or rig is impossible or missing
    |   +-- CoordinateSystemMismatchError  a chain of transforms does not fit together
    +-- DepthScaleError              depth that cannot be metres
    +-- ModelError                   a network's file cannot be used
    +-- AnchorError                  relative depth that nothing in metres holds
    +-- ConfigError                  a setting is unknown or out of range
    +-- TrackingError                no frame of a recording could be placed
    +-- OutputError                  a file could not be written whole
    +-- EvaluationError              an estimate and its truth cannot be compared

A wrong dtype or array shape is a ``ValueError`` or ``TypeError``: a mistake in the calling
program, not in the data.
"""

from pathlib import Path


class SensorFusionError(Exception):
    """Base of every error raised on purpose.

    The command line catches it in one place, prints one line and exits with 1::

        try:
            reconstruction = sensorfusion.reconstruct("x.db3")
        except sensorfusion.SensorFusionError as error:
            ...
    """


class SourceError(SensorFusionError):
    """A recording, folder or camera cannot be opened or read."""


class CorruptRecordingError(SourceError):
    """The bytes of a file are not what its format says they must be.

    Parameters
    ----------
    path : Path or str
        The file.
    offset : int
        Byte offset in the file at which the fault was seen.
    found : str
        What stands there.
    expected : str
        What the format demands.
    advice : str
        What the user can do.
    """

    def __init__(
        self, path: Path | str, offset: int, found: str, expected: str, advice: str
    ) -> None:
        super().__init__(f"{path}: at byte {offset}: found {found}; expected {expected}; {advice}")


class UnsupportedRecordingError(SourceError):
    """A sound recording that holds something this version does not read."""


class DriverError(SensorFusionError):
    """No such driver or driver option, or a driver that cannot be loaded."""


class CalibrationError(SensorFusionError):
    """A camera model, a transform or a rig is impossible, ambiguous or missing."""


class CoordinateSystemMismatchError(CalibrationError):
    """Two transforms were chained whose inner coordinate systems differ."""


class DepthScaleError(SensorFusionError):
    """Depth values that cannot be metres under the unit that came with them."""


class ModelError(SensorFusionError):
    """A network's file cannot be read or run, or is not what a stage needs."""


class AnchorError(SensorFusionError):
    """Relative depth cannot become metres: too little of the picture is known in metres.

    Parameters
    ----------
    reason : str
        Why, without figures, so that frames can be counted by it.
    found : str
        The figures.
    """

    def __init__(self, reason: str, found: str) -> None:
        self.reason = f"no anchor: {reason}"
        super().__init__(f"{self.reason} ({found})")


class ConfigError(SensorFusionError):
    """A setting is unknown, has the wrong type or is out of range."""


class TrackingError(SensorFusionError):
    """Not one frame of a recording could be placed, so there is nothing to reconstruct.

    Parameters
    ----------
    message : str
    report_json : str
        The report of the run as text: why each frame was dropped.
    """

    def __init__(self, message: str, report_json: str) -> None:
        super().__init__(message)
        self.report_json = report_json


class OutputError(SensorFusionError):
    """A file could not be written whole; the old file, if there was one, is untouched."""


class EvaluationError(SensorFusionError):
    """An estimate and its truth have nothing in common that could be compared."""
