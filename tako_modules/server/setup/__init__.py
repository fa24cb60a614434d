"""How a bare machine becomes a server and is one no longer: look, plan, carry out; started as root by a hidden command."""
