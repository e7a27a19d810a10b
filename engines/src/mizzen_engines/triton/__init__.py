"""Triton Inference Server: its environment on one machine, and the model repository that it loads."""
