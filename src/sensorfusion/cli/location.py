"""The options by which every command that reads a source opens it."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from sensorfusion.errors import DriverError
from sensorfusion.sources.driver import FrameSource, Truth
from sensorfusion.sources.registry import open_source, read_truth


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
        DriverError
            If one has no ``=`` or is given twice.
        """
        values: dict[str, str] = {}
        for text in self.option:
            key, separator, value = text.partition("=")
            if not separator or not key:
                msg = f"-o {text}: expected KEY=VALUE"
                raise DriverError(msg)
            if key in values:
                msg = f"-o {key} is given twice; give it once"
                raise DriverError(msg)
            values[key] = value
        return values

    def open(self, location: str) -> FrameSource:
        """Open a source; errors are those of :func:`sensorfusion.sources.registry.open_source`."""
        return open_source(location, self.driver, self.values)

    def truth(self, location: str) -> Truth:
        """Read a source's truth; errors are those of ``registry.read_truth``."""
        return read_truth(location, self.driver, self.values)
