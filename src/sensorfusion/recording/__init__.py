"""Recording: samples of any source to an MCAP file that survives a crash."""
