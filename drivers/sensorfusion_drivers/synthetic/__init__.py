"""Simulated sensors: every frame with its exact truth."""

from sensorfusion_drivers.synthetic.driver import SyntheticDriver
from sensorfusion_drivers.synthetic.room import SyntheticSource

__all__ = ["SyntheticDriver", "SyntheticSource"]
