"""Stage 2: what is known of the sensors before they measure: rig files and calibration."""
