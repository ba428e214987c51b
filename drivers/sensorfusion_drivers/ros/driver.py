"""Opens ros."""

from sensorfusion.errors import SourceError
from sensorfusion.sources.driver import Driver, FrameSource


class RosDriver(Driver):
    """Opens ros."""

    summary = "ros"

    def can_open(self, location: str) -> bool:
        """Say whether the location is ours."""
        del location
        return False

    def open(self, location: str) -> FrameSource:
        """Open a location."""
        msg = f"{location}: cannot be opened"
        raise SourceError(msg)
