"""Phone numbers: as they are written, asked for, planned and sent."""
