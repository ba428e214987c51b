"""Drivers that come with sensorfusion: one module or package per kind of recording or camera."""
