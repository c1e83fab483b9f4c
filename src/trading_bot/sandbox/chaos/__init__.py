"""Chaos from the venue's side: what goes wrong in a run (`script`), and whether the desk came through, by the venue's log (`audit`)."""
