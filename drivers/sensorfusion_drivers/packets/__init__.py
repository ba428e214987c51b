"""Driver `packets`."""
