"""Calendar, as-of view, indicators, levels, and the arithmetic of screen, analysis, entry and regime."""
