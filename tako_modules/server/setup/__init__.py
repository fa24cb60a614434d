"""How a bare machine becomes a server, and is one no longer: look, plan, apply; hidden commands enter, as root."""
