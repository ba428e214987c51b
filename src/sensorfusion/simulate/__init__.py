"""Scenes, motion and sensors with exact truth: for tests, benchmarks and the demo recordings.

``room`` builds a furnished room, ``hand_held`` moves a camera through it, ``RgbdSensor`` renders
depth and colour, ``measure`` adds the noise of a kind of sensor, ``surface_seen`` returns the
surface that the cameras saw, ``measure_motion`` what an IMU measures on the way. ``hall`` and
``street`` are for LiDARs: ``LidarRig`` moves one with cameras beside it and returns scans,
pictures and exact depth. Everything is seeded: the same arguments give the same bytes.
"""
