"""Write the references anew: `.venv/bin/python -m tests.docs`; `python3 -m tests fix` does it too."""

from .pages import write

for path in write():
    print(f"wrote {path}")
