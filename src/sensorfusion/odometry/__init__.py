"""Stage 4. Odometry: where the camera is."""
