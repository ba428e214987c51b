"""Driver `ros`: recordings of ROS 1 and ROS 2, bags and MCAP."""
