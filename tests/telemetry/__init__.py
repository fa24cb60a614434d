"""What apps print and what was counted."""
