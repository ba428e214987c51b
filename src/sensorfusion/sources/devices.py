"""Cameras that are plugged in, of all drivers."""

from sensorfusion.errors import DriverError, SourceError
from sensorfusion.sources.driver import ConnectedDevice
from sensorfusion.sources.registry import driver_names, load_driver


def connected_devices() -> tuple[tuple[ConnectedDevice, ...], tuple[str, ...]]:
    """Return the cameras that are plugged in now, of all drivers.

    Returns
    -------
    tuple of ConnectedDevice
    tuple of str
        What went wrong in asking for them, a sentence each.

    Raises
    ------
    DriverError
        If two drivers share a name.
    """
    found: list[ConnectedDevice] = []
    faults = []
    for name in driver_names():
        try:
            found.extend(_cameras(name))
        except (DriverError, SourceError) as error:
            faults.append(str(error))
    return tuple(found), tuple(faults)


def _cameras(name: str) -> tuple[ConnectedDevice, ...]:
    driver = load_driver(name)
    try:
        # Drivers of recordings alone need not know of cameras.
        return driver.devices() if hasattr(driver, "devices") else ()
    except SourceError:
        raise
    # Another fault of a foreign plug-in must not hide the cameras of the others.
    except Exception as error:
        msg = f"driver {name!r} cannot list cameras: {type(error).__name__}: {error}"
        raise DriverError(msg) from error
