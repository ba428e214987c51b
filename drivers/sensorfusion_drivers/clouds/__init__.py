"""Driver `clouds`."""
