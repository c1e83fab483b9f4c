"""News: feeds, the queue between them and workers, what a text is about, who reads it, what a symbol's news come to, and what climbs.

Promises that a story told forty times moves a symbol once, that every number can be traced to its articles, and that text is data.
Refuses to propose anything: it has no broker, no books and no limit.
"""
