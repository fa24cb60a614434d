"""Tests of the loop, its streams and TLS."""
