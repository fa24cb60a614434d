"""Deploying, and making servers of machines."""
