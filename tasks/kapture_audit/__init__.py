"""Kapture's customers, asked for and compared with what was delivered."""
