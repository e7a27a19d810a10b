"""Stage 4: may this request be made, and at what price?"""
