"""Callcap: parameters, requests, their wire form and replies."""
