"""Opens clouds."""

from sensorfusion.errors import SourceError
from sensorfusion.sources.driver import Driver, FrameSource


class CloudsDriver(Driver):
    """Opens clouds."""

    summary = "clouds"

    def can_open(self, location: str) -> bool:
        """Say whether the location is ours."""
        del location
        return False

    def open(self, location: str) -> FrameSource:
        """Open a location."""
        msg = f"{location}: cannot be opened"
        raise SourceError(msg)
