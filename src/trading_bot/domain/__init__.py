"""Records and pure rules of the trade. No I/O, no clock, no vendor library; nothing here imports another room."""
