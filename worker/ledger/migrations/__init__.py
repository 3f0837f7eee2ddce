"""Migrations of the ledger: a file each, from one format to the next, beside whatever runs."""
