"""With which codes does the gateway refuse? By status; a test holds the table to the places that refuse."""

from typing import Final

REFUSALS: Final[dict[int, dict[str, str]]] = {
    400: {
        "answer_too_long": "the answer to this request is longer than can be held until it is whole; ask for less",
        "context_length_exceeded": "prompt and cap together are longer than the model's context",
        "empty_file": "a file without a line",
        "duplicate_key": "a key or a field came twice where it may come once",
        "invalid_encoding": "a body whose compression cannot be opened",
        "invalid_json": "the body is no JSON object",
        "invalid_message": "a message of gRPC that cannot be read",
        "invalid_multipart": "the form cannot be read",
        "invalid_parameter": "a field is outside of its bounds",
        "invalid_request": "the model cannot take the request",
        "malformed_request": "no HTTP that is passed on",
        "not_offered": "a request that this model or port does not answer",
        "parameter_not_allowed": "a field that callers may not set",
        "unbounded_input": "a hard budget applies, and nothing bounds the tokens of this input",
        "url_not_allowed": "a URL that an engine would fetch",
        "wrong_protocol": "the model speaks the other API",
    },
    401: {"invalid_api_key": "the key is missing, malformed, unknown, revoked or expired"},
    403: {
        "address_not_allowed": "the key is confined to networks that the caller is in none of",
        "model_not_allowed": "the key is confined to other models",
        "not_offered": "a call that is not offered here",
        "operation_not_allowed": "the key is confined to other operations",
        "unbounded_price": "a hard budget applies, and the price has a part for time, which nothing bounds",
    },
    404: {
        "batch_not_found": "no such batch",
        "endpoint_not_available": "the model's engine has no such endpoint",
        "file_not_found": "no such file",
        "model_not_found": "no such model, or not one of the caller's project",
        "response_not_found": "responses are not kept",
        "unknown_path": "nothing is at this path",
        "version_not_found": "the engine has no such version of the model",
    },
    405: {"method_not_allowed": "the header `allow` names the methods of this path"},
    408: {"request_timeout": "header or body took too long to arrive"},
    409: {
        "batch_ended": "the batch has ended, so that there is nothing to cancel",
        "conflict": "what is there now of a file or a batch does not allow it",
        "file_in_use": "a batch still reads the file",
        "file_incomplete": "not all of the file arrived",
    },
    413: {
        "body_too_large": "the body is larger than is taken",
        "file_too_large": "the file is larger than one may be",
        "files_quota_exceeded": "the project's files together are larger than they may be",
        "too_many_batches": "the project has as many batches that have not ended as it may have",
    },
    415: {
        "unsupported_encoding": "a content-encoding that is not taken",
        "unsupported_media_type": "a form is wanted",
    },
    417: {"expectation_failed": "an `expect` other than 100-continue"},
    429: {
        "budget_exceeded": "a budget has too little left; `x-should-retry` is false, or `retry-after` says when, "
        "where requests under way hold what is lacking",
        "model_not_ready": "the model's endpoint picker takes no more requests",
        "fair_share_exceeded": "other projects wait, and this one has had more than its share; `retry-after` says when",
        "rate_limit_exceeded": "a limit is reached; `retry-after` says for how long",
        "too_many_concurrent_requests": "too many requests at once",
    },
    431: {"header_too_large": "the header is larger than is taken"},
    500: {"internal_error": "an error of the gateway's own"},
    502: {"upstream_error": "the engine failed; its own text is not passed on"},
    503: {
        "files_unavailable": "the control plane, which keeps files, does not answer",
        "gateway_stopping": "this gateway stops, and the request was not over in time",
        "model_not_ready": "no replica within the time that a request may wait",
        "not_ready": "the gateway does not know its keys yet",
        "overloaded": "engines have more to do than they can; `retry-after` says when",
        "quota_unavailable": "usage cannot be recorded, or limits are not known",
    },
    504: {"upstream_timeout": "the engine sent nothing for too long"},
    505: {"http_version_not_supported": "neither HTTP/1.0 nor HTTP/1.1"},
}
"""Status -> code -> when."""
RETRIED: Final = frozenset({429, 503})
"""Statuses with `retry-after`."""
EVERYWHERE: Final = (400, 401, 403, 404, 405, 408, 413, 417, 431, 500, 503, 505)
"""What each path may answer."""
OF_KEPT: Final = (409, 415, 429)
"""And what else, for files and batches."""
OF_MODELS: Final = (415, 429, 502, 504)
"""And what else, where an engine is asked."""
