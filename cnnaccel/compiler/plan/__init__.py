"""Tasks as a schedule: what stays on the chip, in which pieces, where it lies."""
