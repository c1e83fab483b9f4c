"""Mandate, rules, gate, sizing, discipline, halt. The only maker of an `ApprovedOrder`."""
