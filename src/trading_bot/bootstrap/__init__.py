"""The composition root: configuration in, a wired desk out. The only room that chooses parts.

    setting.py    what distinguishes one run from another, and its mandate
    desk.py       clock, source, broker, analyst and journal of a desk
    kinds.py      what tells a desk of stocks from one of coins      logs.py  what the log says of an error
    sources.py    the market that a configuration names
    bench.py      what a desk's tools look at
    tools.py      the same without a running desk        doors.py    the running desk's socket
    claude.py     the manager, its budget and the analysts that ask it
    asking.py     one question from the command line
    replaying.py  one decision answered again            judging.py  a changed prompt on recorded days

Modules are named by who uses them, so that a server which only lists its tools imports no broker.
"""
