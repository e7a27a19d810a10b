"""Spans of requests, for those who switch them on: which trace, what is told, and how it leaves."""
