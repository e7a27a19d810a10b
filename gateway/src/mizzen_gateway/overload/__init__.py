"""What happens to requests that are more than the engines can answer: who waits, in which order, and who is refused."""
