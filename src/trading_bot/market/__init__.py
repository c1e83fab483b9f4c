"""The market as the desk understands it: calendar, as-of view, indicators, scores, screen, regime."""
