"""Certificates: the local authority, self-signed stop-gaps and the store of what is served; programs enter."""
