"""Which metrics does a simulated engine show? Those of vLLM, by name, so that scalers and dashboards fit."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)


class EngineMetrics:
    """The metrics of one engine, each labelled with its model."""

    def __init__(self, model: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        self._registry = CollectorRegistry()
        self._model = model
        self._running = self._gauge("vllm:num_requests_running", "Sequences in the batch.")
        self._waiting = self._gauge("vllm:num_requests_waiting", "Sequences in the queue.")
        self._kv = self._gauge("vllm:kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1.")
        self.prompt_tokens = self._counter("vllm:prompt_tokens", "Prompt tokens read.")
        self.generation_tokens = self._counter("vllm:generation_tokens", "Tokens made.")
        self.preemptions = self._counter("vllm:num_preemptions", "Sequences that gave their room back.")
        self._success = Counter(
            "vllm:request_success",
            "Sequences finished.",
            ["model_name", "finished_reason"],
            registry=self._registry,
        )
        self._ttft = self._histogram("vllm:time_to_first_token_seconds", "Arrival to first token.")
        self._itl = self._histogram("vllm:inter_token_latency_seconds", "Token to token.")
        self._e2e = self._histogram("vllm:e2e_request_latency_seconds", "Arrival to last token.")
        self._queue = self._histogram("vllm:request_queue_time_seconds", "Arrival to joining the batch.")

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ["model_name"], registry=self._registry).labels(self._model)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, ["model_name"], registry=self._registry).labels(self._model)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, ["model_name"], buckets=SECONDS, registry=self._registry).labels(self._model)

    def show(self, running: int, waiting: int, kv_share: float) -> None:
        """Set the gauges."""
        self._running.set(running)
        self._waiting.set(waiting)
        self._kv.set(kv_share)

    def queued(self, seconds: float) -> None:
        """A sequence joined the batch after waiting."""
        self._queue.observe(seconds)

    def first_token(self, seconds: float) -> None:
        """A sequence got its first token."""
        self._ttft.observe(seconds)

    def next_token(self, seconds: float) -> None:
        """A sequence got another token."""
        self._itl.observe(seconds)

    def finished(self, seconds: float, reason: str = "stop") -> None:
        """A sequence is complete."""
        self._e2e.observe(seconds)
        self._success.labels(self._model, reason).inc()

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)
