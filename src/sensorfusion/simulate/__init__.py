"""Scenes and sensors with exact truth."""
