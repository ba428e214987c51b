"""Stage 6. Fusion: depth maps become one volume."""
