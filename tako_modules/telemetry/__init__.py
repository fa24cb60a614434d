"""One window to what apps print and to what was counted: capture, follow, metrics; only programs may enter."""
