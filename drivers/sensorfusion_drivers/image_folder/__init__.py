"""Pictures alone: a folder of them, or a video, with the intrinsics of one camera."""
