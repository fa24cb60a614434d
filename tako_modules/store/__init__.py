"""The control process' state in one SQLite file: rows in, nouns of `model` out; only a program's control may enter."""
