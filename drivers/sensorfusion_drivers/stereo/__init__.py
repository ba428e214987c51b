"""Folders of pictures that two or more cameras beside each other took at the same instants."""
