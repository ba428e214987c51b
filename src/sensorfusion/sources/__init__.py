"""Stage 1. Sources: recordings and cameras, opened by drivers, delivered as frames."""
