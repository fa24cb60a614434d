"""When should what happen: pure decisions, a snapshot in and steps out; every room above may enter."""
