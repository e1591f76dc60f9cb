"""Answers after the fact: the ledger file."""
