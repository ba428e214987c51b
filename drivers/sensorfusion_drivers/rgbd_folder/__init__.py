"""Folders of RGB-D pictures: 7-Scenes, TUM, and the numbered pairs of Open3D and Redwood."""
