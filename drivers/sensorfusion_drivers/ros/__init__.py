"""Driver `ros`."""
