"""What tells wrong usage from what went wrong."""

from sensorfusion.errors import SensorFusionError


class UsageError(SensorFusionError):
    """What was typed cannot be meant: exit code 2, and a pointer to the command's help."""
