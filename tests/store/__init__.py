"""The state file: round trips, refusals, and what survives kills and full disks."""
