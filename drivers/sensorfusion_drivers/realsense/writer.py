"""Write recordings as librealsense does, without it: the project's own, and those of tests.

::

    device = RecordedDevice(rig, unit_m=0.001)
    write_db3("room.db3", device, ((stamp_ns, depth, color) for stamp_ns, depth, color in shots))
    write_bag("room.bag", device, shots, compression="lz4")
    writer = Db3Writer("copy.db3", device_of(source))  # sample by sample, inertial ones too
"""

from sensorfusion_drivers.realsense.bag_writer import BagWriter, write_bag
from sensorfusion_drivers.realsense.db3_writer import Db3Writer, write_db3
from sensorfusion_drivers.realsense.recorded import Picture, RecordedDevice, device_of

__all__ = [
    "BagWriter",
    "Db3Writer",
    "Picture",
    "RecordedDevice",
    "device_of",
    "write_bag",
    "write_db3",
]
