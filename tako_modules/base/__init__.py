"""Ground: errors, files, paths, the clock, the log, tasks, child processes and text; every other room may enter."""
