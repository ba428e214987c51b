"""The options by which every command that reads a source opens it."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from sensorfusion.cli.usage import UsageError
from sensorfusion.errors import DriverError
from sensorfusion.sources.driver import FrameSource, Truth
from sensorfusion.sources.options import convert_options
from sensorfusion.sources.registry import (
    driver_names,
    find_driver,
    load_driver,
    open_source,
    read_truth,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How a source is opened.

    Attributes
    ----------
    driver : str or None
        Driver to use; by default the one that recognises the source.
    option : tuple of str
        An option of the driver as KEY=VALUE; may be repeated. `sensorfusion drivers` lists them.
    """

    driver: str | None = None
    option: Annotated[tuple[str, ...], Parameter(name=("-o", "--option"), negative=())] = ()

    @property
    def values(self) -> dict[str, str]:
        """Return the driver's options by name.

        Raises
        ------
        UsageError
            If one has no ``=`` or is given twice.
        """
        values: dict[str, str] = {}
        for text in self.option:
            key, separator, value = text.partition("=")
            if not separator or not key:
                msg = f"-o {text}: expected KEY=VALUE"
                raise UsageError(msg)
            if key in values:
                msg = f"-o {key} is given twice; give it once"
                raise UsageError(msg)
            values[key] = value
        return values

    @property
    def beside(self) -> tuple[str, ...]:
        """Return what the command itself takes as ``-o``, beside the driver's options."""
        return ()

    def check(self, location: str) -> None:
        """Refuse what was typed if no driver can take it; a broken driver is no wrong usage.

        Raises
        ------
        UsageError
            If there is no such driver, or it has no such option, or not with such a value.
        SensorFusionError
            If no driver recognises the location, or the driver cannot be loaded.
        """
        if self.driver is None and not self.option:
            return
        name = self.driver or find_driver(location)
        known = {name, name.replace("-", "_")} & set(driver_names())
        try:
            loaded = load_driver(name)
        except DriverError as error:
            if known:
                raise
            raise UsageError(str(error)) from error
        try:
            convert_options(loaded, name, self.values, self.beside)
        except DriverError as error:
            raise UsageError(str(error)) from error

    def open(self, location: str) -> FrameSource:
        """Open a source; errors are those of ``check`` and of ``registry.open_source``."""
        self.check(location)
        return open_source(location, self.driver, self.values)

    def truth(self, location: str) -> Truth:
        """Read a source's truth; errors are those of ``check`` and of ``registry.read_truth``."""
        self.check(location)
        return read_truth(location, self.driver, self.values)
