"""The composition root: configuration in, a wired desk out. The only room that chooses parts.

    desk.py     clock, source, broker, analyst and journal of a desk
    sources.py  the market that a configuration names
    tools.py    what tools may look at, in a running desk and without one
    claude.py   the manager, its budget and the analysts that ask it

Modules are named by who uses them, so that a server which only lists its tools imports no broker.
"""
