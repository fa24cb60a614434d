"""Other machines over SSH: commands, files, tunnels, host keys; programs enter, and see a Shell or a byte stream."""
