"""HTTP/1.1 and WebSocket without I/O."""
