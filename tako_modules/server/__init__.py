"""The server program: `init` holds processes and listeners, control decides; nobody enters but the command line."""
