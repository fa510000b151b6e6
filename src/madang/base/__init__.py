"""What every storey may use: errors, progress and cancel, canonical JSON, console output, translation marks."""
