"""Versions that are fetched from elsewhere: long work through the way out, finished as an upload is."""
