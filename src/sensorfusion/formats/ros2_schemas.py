"""Definitions of the ROS 2 messages that are written, as MCAP stores them beside the messages.

References
----------
ROS 2, packages std_msgs, sensor_msgs, geometry_msgs, tf2_msgs, builtin_interfaces (their .msg
files); MCAP well-known schema encodings, "ros2msg".
"""

from typing import Final

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE: Final = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO: Final = "sensor_msgs/msg/CameraInfo"
IMU: Final = "sensor_msgs/msg/Imu"
POINT_CLOUD: Final = "sensor_msgs/msg/PointCloud2"
TRANSFORMS: Final = "tf2_msgs/msg/TFMessage"

_PARTS: Final = {
    "builtin_interfaces/Time": "int32 sec\nuint32 nanosec\n",
    "std_msgs/Header": "builtin_interfaces/Time stamp\nstring frame_id\n",
    "geometry_msgs/Vector3": "float64 x\nfloat64 y\nfloat64 z\n",
    "geometry_msgs/Quaternion": "float64 x\nfloat64 y\nfloat64 z\nfloat64 w\n",
    "geometry_msgs/Transform": "geometry_msgs/Vector3 translation\n"
    "geometry_msgs/Quaternion rotation\n",
    "geometry_msgs/TransformStamped": "std_msgs/Header header\nstring child_frame_id\n"
    "geometry_msgs/Transform transform\n",
    "sensor_msgs/RegionOfInterest": "uint32 x_offset\nuint32 y_offset\nuint32 height\n"
    "uint32 width\nbool do_rectify\n",
    "sensor_msgs/PointField": "uint8 INT8=1\nuint8 UINT8=2\nuint8 INT16=3\nuint8 UINT16=4\n"
    "uint8 INT32=5\nuint8 UINT32=6\nuint8 FLOAT32=7\nuint8 FLOAT64=8\nstring name\n"
    "uint32 offset\nuint8 datatype\nuint32 count\n",
}
_MESSAGES: Final = {
    IMAGE: "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\n"
    "uint8 is_bigendian\nuint32 step\nuint8[] data\n",
    COMPRESSED_IMAGE: "std_msgs/Header header\nstring format\nuint8[] data\n",
    CAMERA_INFO: "std_msgs/Header header\nuint32 height\nuint32 width\n"
    "string distortion_model\nfloat64[] d\nfloat64[9] k\nfloat64[9] r\nfloat64[12] p\n"
    "uint32 binning_x\nuint32 binning_y\nsensor_msgs/RegionOfInterest roi\n",
    IMU: "std_msgs/Header header\ngeometry_msgs/Quaternion orientation\n"
    "float64[9] orientation_covariance\ngeometry_msgs/Vector3 angular_velocity\n"
    "float64[9] angular_velocity_covariance\ngeometry_msgs/Vector3 linear_acceleration\n"
    "float64[9] linear_acceleration_covariance\n",
    POINT_CLOUD: "std_msgs/Header header\nuint32 height\nuint32 width\n"
    "sensor_msgs/PointField[] fields\nbool is_bigendian\nuint32 point_step\nuint32 row_step\n"
    "uint8[] data\nbool is_dense\n",
    TRANSFORMS: "geometry_msgs/TransformStamped[] transforms\n",
}


def definition(kind: str) -> str:
    """Return the text of a message type with those of its parts behind it."""
    text, named = _MESSAGES[kind], []
    waiting = [text]
    while waiting:
        for line in waiting.pop(0).splitlines():
            part = line.split(" ")[0].removesuffix("[]")
            if part in _PARTS and part not in named:
                named.append(part)
                waiting.append(_PARTS[part])
    return text + "".join(f"{'=' * 80}\nMSG: {part}\n{_PARTS[part]}" for part in named)
