"""What the room workspace promises."""
