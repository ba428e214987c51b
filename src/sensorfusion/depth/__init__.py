"""Stage 3. Depth: any measurement becomes absolute depth in metres."""
