"""The architecture as tests: floors, measures, door plates, names, words; they read sources and run little."""
