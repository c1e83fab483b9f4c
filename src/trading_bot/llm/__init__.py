"""Large models: the Claude Code manager, its budget, its cassettes."""
