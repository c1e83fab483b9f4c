"""Watching the desk from outside and telling people."""
