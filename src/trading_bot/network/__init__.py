"""How to talk to a vendor's servers: keys, a budget of requests, patience. Shared by sources and brokers."""
