"""Tests of Tako: a folder per room; `house`: the architecture; `kit`: what is shared; `e2e`: the built file."""
