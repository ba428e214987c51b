"""Stage 7. Mesh: the volume becomes a surface."""
