"""Tests of the operations on a server."""
