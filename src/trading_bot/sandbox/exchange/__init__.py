"""The exchange under every venue's emulator: a clock, prices along a path, and a book that matches orders against them."""
