"""Point clouds in files: PCD, PLY, KITTI and nuScenes .bin, NPY, NPZ, LAS, LAZ, E57, text."""
