"""An engine that computes nothing, and says so: OpenAI's API with a real engine's timing, queue and metrics."""
