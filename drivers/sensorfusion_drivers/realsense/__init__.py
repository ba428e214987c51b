"""Recordings of RealSense cameras, read and written without the vendor's library."""
