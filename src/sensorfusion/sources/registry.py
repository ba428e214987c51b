"""Drivers, found through the entry-point group ``sensorfusion.drivers``.

Listing reads package metadata only; a driver is imported when it is asked for by name, or when a
location has to be recognised.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, TypeVar

from sensorfusion.errors import DriverError, OutputError, SourceError
from sensorfusion.sources.driver import (
    Driver,
    FrameSource,
    SampleWriter,
    Truth,
    Writes,
)
from sensorfusion.sources.options import DriverOption, convert_options, describe_options

GROUP: Final = "sensorfusion.drivers"

_T = TypeVar("_T")


def driver_names() -> tuple[str, ...]:
    """Return the names of all installed drivers, sorted, without importing any.

    Raises
    ------
    DriverError
        If two installed packages offer different drivers under one name.
    """
    return tuple(sorted(_entries()))


def load_driver(name: str) -> Driver:
    """Import and return a driver.

    Parameters
    ----------
    name : str
        As :func:`driver_names` lists it; dashes and underscores mean the same.

    Raises
    ------
    DriverError
        If there is no such driver, or it cannot be imported, or it is none.
    """
    entries = _entries()
    entry = entries.get(name.replace("-", "_")) or entries.get(name)
    if entry is None:
        close = difflib.get_close_matches(name, entries, n=1)
        hint = f"did you mean {close[0]}?" if close else f"installed: {_listed(entries)}"
        msg = f"there is no driver {name!r}; {hint}"
        raise DriverError(msg)
    try:
        driver: Driver = entry.load()()
    # A plug-in is foreign code: whatever goes wrong in it must name it, not end the program.
    except Exception as error:
        msg = (
            f"driver {name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}; "
            "mend or remove the package that offers it"
        )
        raise DriverError(msg) from error
    missing = [part for part in ("can_open", "open", "truth") if not hasattr(driver, part)]
    if missing:
        msg = f"driver {name!r} ({entry.value}) has no {' or '.join(missing)}; mend or remove it"
        raise DriverError(msg)
    return driver


def find_driver(location: str | Path) -> str:
    """Return the name of the one driver that recognises a location.

    Parameters
    ----------
    location : str or Path
        A file, a folder, or a name that a driver knows (``synthetic:room``).

    Raises
    ------
    SourceError
        If the location does not exist or is empty, or no driver, or more than one, recognises
        it.
    DriverError
        If two drivers share a name.
    """
    _check_location(str(location))
    names = driver_names()
    found, broken = [], []
    for name in names:
        try:
            if _recognises(name, str(location)):
                found.append(name)
        except DriverError as error:
            broken.append(str(error))
    if len(found) > 1:
        msg = f"{location}: drivers {_listed(found)} all recognise it; choose one with --driver"
        raise SourceError(msg)
    if not found:
        raise SourceError(_unrecognised(str(location), names, broken))
    return found[0]


def open_source(
    location: str | Path, driver: str | None = None, options: Mapping[str, str] | None = None
) -> FrameSource:
    """Open a recording or camera.

    Parameters
    ----------
    location : str or Path
        A file, a folder, or a name that a driver knows (``synthetic:room``).
    driver : str or None
        Name of the driver; None asks every driver whether it recognises the location.
    options : mapping of str to str or None
        Options of the driver as text, by name; see :func:`driver_options`.

    Raises
    ------
    SourceError
        If the location cannot be opened.
    DriverError
        If the driver or an option does not exist, or an option has the wrong type.
    CalibrationError
        If the recording has no usable intrinsics.
    """
    _check_location(str(location))
    name = driver or find_driver(location)
    loaded = load_driver(name)
    return _call(loaded.open, str(location), convert_options(loaded, name, options or {}))


def open_writer(destination: str | Path, source: FrameSource) -> SampleWriter:
    """Begin a recording in the format that the destination's name says.

    Parameters
    ----------
    destination : str or Path
        Its ending tells the format; a name without one is a folder of pictures.
    source : FrameSource
        Whose samples will be written: its rig, device and poses are.

    Raises
    ------
    OutputError
        If no driver writes such recordings, or the one that does cannot write this one.
    """
    ending = Path(destination).suffix.lower()
    known: list[str] = []
    for name in driver_names():
        driver = load_driver(name)
        if isinstance(driver, Writes):
            if ending in driver.endings:
                return driver.writer(str(destination), source)
            known += driver.endings
    listed = ", ".join(each or "a folder" for each in known)
    msg = f"{destination}: no driver writes {ending}; expected one of {listed}"
    raise OutputError(msg)


@contextmanager
def opened_or_given(
    source: FrameSource | Path | str,
    driver: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Iterator[FrameSource]:
    """Open a location and close it again; leave an open source to its owner.

    Parameters
    ----------
    source : FrameSource, Path or str
    driver, options
        As for :func:`open_source`; an open source needs neither.
    """
    if isinstance(source, (str, Path)):
        with open_source(source, driver, options) as opened:
            yield opened
    else:
        yield source


def read_truth(
    location: str | Path, driver: str | None = None, options: Mapping[str, str] | None = None
) -> Truth:
    """Read what a location knows to be true, and only that.

    Parameters are those of :func:`open_source`; options that concern pictures only are checked
    and otherwise left aside.

    Raises
    ------
    SourceError
        If the location cannot be read.
    DriverError
        If the driver or an option does not exist, or an option has the wrong type.
    """
    _check_location(str(location))
    name = driver or find_driver(location)
    loaded = load_driver(name)
    values = convert_options(loaded, name, options or {})
    known = inspect.signature(loaded.truth).parameters
    return _call(
        loaded.truth, str(location), {key: value for key, value in values.items() if key in known}
    )


def driver_options(name: str) -> tuple[DriverOption, ...]:
    """Return the options of a driver: name, type and default of each.

    Raises
    ------
    DriverError
        If there is no such driver, or it cannot be imported.
    """
    return describe_options(load_driver(name))


def _entries() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            msg = (
                f"two drivers are named {entry.name!r}: {_origin(other)} and {_origin(entry)}; "
                "remove one of the packages"
            )
            raise DriverError(msg)
    return found


def _origin(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist else "unknown package"
    return f"{entry.value} of {package}"


def _recognises(name: str, location: str) -> bool:
    driver = load_driver(name)
    try:
        return bool(driver.can_open(location))
    # can_open promises not to raise; one foreign plug-in that breaks this must not stop the others.
    except Exception as error:
        msg = f"driver {name!r} failed on {location}: {type(error).__name__}: {error}"
        raise DriverError(msg) from error


def _check_location(location: str) -> None:
    """Refuse what no driver can read, before one takes it for something else."""
    if not location.strip():
        # As a path it would be the folder that the program runs in.
        msg = f"the location of the recording is {location!r}; expected a file, folder or name"
        raise SourceError(msg)
    try:
        empty = Path(location).is_file() and not Path(location).stat().st_size
    except (OSError, ValueError):  # a name too long, or with a zero byte, is no path
        return
    if empty:
        msg = f"{location}: is empty (0 bytes); expected a recording; copy or record it again"
        raise SourceError(msg)


def _unrecognised(location: str, names: tuple[str, ...], broken: list[str]) -> str:
    try:
        exists = Path(location).exists()
    except (OSError, ValueError):  # a name too long, or with a zero byte, is no path
        exists = False
    if exists:
        found = f"{location}: no driver recognises it; installed: {_listed(names)}"
    else:
        found = f"{location}: no such file or folder, and no driver knows it by this name"
    advice = "give the path of a recording that `sensorfusion drivers` lists"
    return "; ".join([found, *broken, advice])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _call(function: Callable[..., _T], location: str, values: dict[str, object]) -> _T:
    try:
        return function(location, **values)
    except OSError as error:
        msg = f"{location}: cannot be read: {error.strerror or error}"
        raise SourceError(msg) from error
