"""What the room runtimes promises."""
