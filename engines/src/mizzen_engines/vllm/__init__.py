"""vLLM: its environment on one machine."""
