"""What callers speak: the OpenAI API and the Open Inference Protocol."""
