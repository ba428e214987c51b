"""Byte-level codecs without meaning, used by drivers and core alike."""
