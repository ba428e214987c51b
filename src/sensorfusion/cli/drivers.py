"""``sensorfusion drivers``."""

from sensorfusion.cli.output import write_line
from sensorfusion.errors import DriverError
from sensorfusion.sources.registry import driver_names, driver_options, load_driver


def drivers() -> None:
    """List what can be read, and the options of each driver."""
    for name in driver_names():
        try:
            summary = load_driver(name).summary
            options = driver_options(name)
        except DriverError as error:
            write_line(f"{name}: BROKEN: {error}")
            continue
        write_line(f"{name}: {summary}")
        for option in options:
            write_line(f"    -o {option.name}={option.default}  ({option.type})")
