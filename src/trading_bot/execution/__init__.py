"""Session loop, engine, intents, protection, reconciliation. The only room that talks to a broker."""
