"""What the room build promises."""
