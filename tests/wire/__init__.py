"""What peers may put on the wire, byte for byte, and what becomes of it."""
