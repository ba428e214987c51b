"""Names under which our MCAP recordings hold what no ROS message can say.

``docs/recording-file.md`` describes the format.
"""

from typing import Final

RIG: Final = "sensorfusion/rig.toml"
"""Attachment: the rig, exactly."""
DEVICE: Final = "sensorfusion/device"
"""Metadata record: what the source says about the device."""
COUNTS: Final = "sensorfusion/counts"
"""Metadata record, last: samples written and dropped, by stream."""

STREAM: Final = "sensorfusion/stream"
"""In a channel's metadata: the stream whose samples it holds."""
SENSOR: Final = "sensorfusion/sensor"
"""In a channel's metadata: the name of its sensor in the rig."""
KIND: Final = "sensorfusion/kind"
"""In a channel's metadata: one of :data:`KINDS`."""
UNIT: Final = "sensorfusion/unit_m"
"""In the metadata of a depth channel: metres per unit, as Python writes a float."""
DTYPE: Final = "sensorfusion/dtype"
"""In the metadata of a depth channel: ``uint16`` or ``float32``, as the sensor gave it."""
DEPTH_KIND: Final = "sensorfusion/depth_kind"
"""In the metadata of a depth channel: ``z`` or ``range``."""
EXTRA: Final = "sensorfusion/extra"
"""In the metadata of a channel of points: names and dtypes of its further fields, as JSON."""
KINDS: Final = ("depth", "image", "points", "empty_beams", "imu")
