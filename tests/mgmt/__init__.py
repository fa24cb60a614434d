"""Tests of the room mgmt."""
