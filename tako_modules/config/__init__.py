"""What users write, tako.toml and their inventory, becomes frozen nouns or a list of everything that is wrong; pure."""
