"""Tests of the parent process: a real init, with toys as control, workers and apps."""
