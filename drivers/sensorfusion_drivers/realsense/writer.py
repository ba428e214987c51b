"""Write recordings as librealsense does, without it: the project's own, and those of tests.

::

    device = RecordedDevice(rig, unit_m=0.001)
    write_db3("room.db3", device, ((stamp_ns, depth, color) for stamp_ns, depth, color in shots))
    write_bag("room.bag", device, shots, compression="lz4")
"""

from sensorfusion_drivers.realsense.bag_writer import write_bag
from sensorfusion_drivers.realsense.db3_writer import write_db3
from sensorfusion_drivers.realsense.recorded import Picture, RecordedDevice

__all__ = ["Picture", "RecordedDevice", "write_bag", "write_db3"]
