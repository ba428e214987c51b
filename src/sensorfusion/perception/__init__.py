"""What people do with depth and maps: where there is room, and how far the next thing is."""
