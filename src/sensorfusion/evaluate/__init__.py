"""Estimates against truth."""
