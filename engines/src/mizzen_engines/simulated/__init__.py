"""An engine that computes nothing: it speaks OpenAI's API and keeps a real engine's timing, queue and metrics. It says so."""
