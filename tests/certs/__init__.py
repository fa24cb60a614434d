"""Tests of the room certs."""
