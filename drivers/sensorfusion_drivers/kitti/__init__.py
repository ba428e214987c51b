"""Driver `kitti`."""
