"""Opens kitti."""

from sensorfusion.errors import SourceError
from sensorfusion.sources.driver import Driver, FrameSource


class KittiDriver(Driver):
    """Opens kitti."""

    summary = "kitti"

    def can_open(self, location: str) -> bool:
        """Say whether the location is ours."""
        del location
        return False

    def open(self, location: str) -> FrameSource:
        """Open a location."""
        msg = f"{location}: cannot be opened"
        raise SourceError(msg)
