"""The client's side of every change on servers: build once, then each server's own story, side by side."""
