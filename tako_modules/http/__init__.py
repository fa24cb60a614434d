"""HTTP/1.1 and WebSocket as values: heads, bodies and frames checked and rewritten; every room above may enter."""
