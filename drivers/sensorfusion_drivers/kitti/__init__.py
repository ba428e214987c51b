"""KITTI: raw drives, odometry sequences and frames of the object benchmark."""
