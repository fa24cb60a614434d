"""One file per management message: each answers it, with the control process' parts handed in."""
