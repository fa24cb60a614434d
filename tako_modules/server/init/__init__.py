"""The parent process of a server: it holds listeners, pipes and children and decides nothing.

Started as a file, entered by nobody. Standard library only: no module here imports another room; the protocol is in
`docs/inside/init.md`.
"""
