"""Stage 2: whose key is it?"""
