"""What the room config promises."""
