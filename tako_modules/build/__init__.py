"""A project becomes an artifact: built, its files chosen, its version named, packed; and is unpacked safely."""
