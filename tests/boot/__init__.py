"""Tests of the room boot, most of them on the built file."""
