"""What does a person at the command line do about a refusal? Remedies as commands, for both servers' refusals.

The control plane's sentence names the thing and the limit, for every client; what helps in commands is added here by
its code. The gateway's is for programs that call models, and names paths: those are put into commands here.
"""

import re
from typing import Final

from mizzen_cli.context import key_source, token_source

PROBLEM_REMEDIES: Final[dict[str, str]] = {
    "account_token_not_found": "`mizzen service-accounts tokens list ACCOUNT` shows those there are.",
    "account_token_refused": "`mizzen service-accounts tokens create ACCOUNT NAME` makes one.",
    "account_token_revoked": "`mizzen service-accounts tokens create ACCOUNT NAME` makes one.",
    "alias_not_found": "`mizzen models aliases MODEL` lists those there are; `mizzen models alias MODEL ALIAS VERSION` "
    "makes one.",
    "binding_not_found": "`mizzen access list` shows those there are.",
    "budget_not_found": "`mizzen budgets list` shows those there are.",
    "content_damaged": "`mizzen models push MODEL PATH` pushes it again.",
    "content_missing": "`mizzen models push` sends it again, as a new version.",
    "credential_not_found": "`mizzen import-credentials list` shows those there are.",
    "credential_of_another_host": "`mizzen import-credentials create NAME --host HOST` stores one for it.",
    "delivery_not_found": "`mizzen webhooks deliveries WEBHOOK` shows those there are.",
    "deployment_not_found": "`mizzen get` lists those there are.",
    "disk_full": "Then push again: files that arrived whole are not sent twice.",
    "file_too_long": "Push again once nothing writes to it any more.",
    "card_not_found": "`mizzen models card MODEL --file FILE` writes it.",
    "grant_not_found": "`mizzen grants list` shows those there are.",
    "invoice_not_found": "`mizzen invoices list` shows those there are.",
    "key_not_found": "`mizzen keys list` shows those there are.",
    "key_revoked": "`mizzen keys create NAME` makes one.",
    "limit_not_found": "`mizzen limits list` shows those there are.",
    "model_not_found": "`mizzen models list` shows those there are; `mizzen models push MODEL PATH` makes one.",
    "model_priced_already": "`mizzen rate-cards list` shows the cards; `mizzen rate-cards create` with the name of one "
    "writes its next version.",
    "no_version_reference": "`mizzen apply -f FILE` does that.",
    "no_such_role": "`mizzen access roles list` shows those there are.",
    "nothing_to_roll_back_to": "`mizzen deploy NAME --model MODEL@VERSION` takes the one that you name; `mizzen models "
    "versions MODEL` lists them.",
    "parent_not_found": "`mizzen models versions MODEL` lists those there are.",
    "project_archived": "`mizzen projects restore NAME` does that.",
    "project_in_use": "`mizzen delete NAME` does that, and `mizzen get` lists them.",
    "project_not_found": "`mizzen projects list` shows those there are; choose one with --project or MIZZEN_PROJECT.",
    "promotion_refused": "`mizzen models compare MODEL FROM TO` shows all that differs; `mizzen models alias MODEL "
    "ALIAS VERSION --force --reason TEXT` moves it all the same.",
    "rate_card_not_found": "`mizzen rate-cards list` shows those there are.",
    "role_built_in": "`mizzen access roles create NAME --permission PERMISSION` does that.",
    "role_in_use": "`mizzen access list --organization` shows who holds it.",
    "role_not_found": "`mizzen access roles list` shows those there are.",
    "rollout_paused": "`mizzen rollout resume NAME` does that.",
    "upload_incomplete": "Push again: files that arrived whole are not sent twice.",
    "service_account_not_found": "`mizzen service-accounts list` shows those there are.",
    "session_ended": "`mizzen login` does that.",
    "token_refused": "`mizzen login` signs in anew.",
    "store_away": "Push again then: what was sent is kept.",
    "store_full": "Then push again: what was sent is kept.",
    "store_refused": "Push again once that is done.",
    "store_without_bucket": "Push again once it is there.",
    "upload_stalled": "Push again when the network allows.",
    "scan_not_found": "`mizzen models scan MODEL@VERSION --again` scans it.",
    "too_many_roles": "`mizzen access roles delete ROLE` does that.",
    "version_archived": "`mizzen models versions MODEL` lists those that can be used.",
    "version_failed": "Push a mended version with `mizzen models push MODEL PATH`.",
    "version_quarantined": "`mizzen models scan MODEL@VERSION` shows all that was found.",
    "version_unsigned": "`mizzen models sign MODEL@VERSION --key FILE` signs it; `mizzen signing-keys list` shows the "
    "keys that are trusted.",
    "no_signing_key": "`mizzen signing-keys add NAME FILE` does that.",
    "signing_key_known": "`mizzen models sign MODEL@VERSION --key FILE` signs with its private half.",
    "signing_key_not_found": "`mizzen signing-keys list` shows those there are.",
    "signing_key_revoked": "`mizzen signing-keys generate FILE` makes one.",
    "too_many_signing_keys": "`mizzen signing-keys revoke NAME` does that.",
    "version_in_use": "`mizzen models alias MODEL ALIAS VERSION` moves it, `mizzen models unalias MODEL ALIAS` deletes "
    "it.",
    "version_not_found": "`mizzen models versions MODEL` lists those there are.",
    "webhook_disabled": "`mizzen webhooks update WEBHOOK --on` does that.",
    "webhook_not_found": "`mizzen webhooks list` shows those there are.",
}
"""Code -> what is said after the server's sentence."""

OWN_WORDS: Final[dict[str, str]] = {
    "digest_mismatch": "A file arrived changed: something wrote to it meanwhile, or its way damaged it. Push again.",
    "file_complete": "Someone else pushes the same version at this moment. Push again.",
    "not_found": "This control plane does not know what the command asks for: it is of an older release. "
    "Upgrade it, or use the command of its release.",
    "precondition_failed": "It was changed by someone else just now. Look at it again, then repeat the command.",
    "wrong_offset": "Someone else pushes the same version at this moment. Push again.",
}
"""Code -> what is said in place of the server's sentence, which speaks of headers that no command shows."""

SAYS_IT_ALL: Final = frozenset(
    {
        "artifact_is_an_index",
        "artifact_of_archives",
        "artifacts_not_served",
        "credential_deleted",
        "credential_of_another_kind",
        "no_such_attempt",
        "provider_not_found",
        "provider_unavailable",
        "sign_in_refused",
        "file_name_refused",
        "files_needed",
        "format_unknown",
        "import_too_large",
        "imported_version_failed",
        "origin_broken",
        "origin_changed",
        "origin_denied",
        "origin_digest_mismatch",
        "origin_not_found",
        "origin_refused",
        "origin_untrusted",
        "source_malformed",
        "number_of_files",
        "api_server_unavailable",
        "audit_chain_broken",
        "audit_sink_failed",
        "autoscaling_active",
        "bad_request",
        "batch_ended",
        "batch_not_found",
        "body_too_large",
        "bound",
        "changed_meanwhile",
        "conflict",
        "container_not_found",
        "content_changed",
        "content_key_missing",
        "created_meanwhile",
        "cross_site",
        "csrf_token_needed",
        "database_busy",
        "database_out_of_connections",
        "database_read_only",
        "database_unavailable",
        "empty_file",
        "event_not_found",
        "file_in_use",
        "file_incomplete",
        "file_not_found",
        "file_too_large",
        "files_quota_exceeded",
        "forbidden",
        "format_not_allowed",
        "gone",
        "idempotency_answer_lost",
        "idempotency_in_progress",
        "idempotency_key_reused",
        "immutable_field",
        "insufficient_storage",
        "internal_error",
        "invalid",
        "invalid_api_key",
        "invalid_json",
        "invalid_object",
        "invalid_page_token",
        "invalid_parameter",
        "invoice_changed",
        "invoice_credited",
        "invoice_draft",
        "invoice_finalized",
        "invoice_gathering",
        "invoice_void",
        "managed_by_project_object",
        "method_not_allowed",
        "more_than_you_hold",
        "name_missing",
        "name_taken",
        "namespace_missing",
        "namespace_of_another_project",
        "namespace_taken",
        "no_audit_key",
        "no_local_account",
        "no_logs_here",
        "no_such_part",
        "not_offered",
        "not_signed",
        "nothing_to_promote",
        "object_not_found",
        "operation_ended",
        "operation_not_found",
        "owned_by_git",
        "password_change_needed",
        "person_disabled",
        "person_not_found",
        "refused_by_the_cluster",
        "repeat",
        "request_timeout",
        "reserved_namespace",
        "resource_version_too_old",
        "sealed_secret_changed",
        "sealing_key_missing",
        "session_not_found",
        "signature_invalid",
        "stale_resource_version",
        "token_not_reviewed",
        "too_large",
        "too_many_batches",
        "too_many_containers",
        "too_many_requests",
        "uid_mismatch",
        "unavailable",
        "unknown_kind",
        "upload_in_progress",
        "version_not_quarantined",
        "version_not_ready",
        "wrong_part_length",
        "wrong_password",
        "too_many_credentials",
        "too_many_webhooks",
    }
)
"""Codes whose sentence is the whole story at the command line too, or that no command ever meets."""

GATEWAY_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"list yours with GET /v1/models", "`mizzen get` lists yours"),
    (r"have it added to the models of this one", "let this one call it with `mizzen keys update`"),
    (r"call it at /v1/chat/completions", "use `mizzen chat`"),
    (r"call it at /v2/models/\S+/infer", "use `mizzen infer`"),
    (r"compare them with GET /v2/models/\S+\.", "compare them with `mizzen models show MODEL`."),
    (r"GET /v2/models/\S+ has those that there are", "`mizzen describe NAME` tells what serves"),
)
"""Path in a sentence of the gateway, or words for any installation -> the command in their place."""


def in_commands(status: int, message: str) -> str:
    """The gateway's sentence as a person at the command line needs it."""
    if status == 401:
        return (
            f"The API key of {key_source()} is not valid here: unknown, revoked or expired. `mizzen keys create NAME` "
            "makes one; set MIZZEN_API_KEY to it."
        )
    for path, command in GATEWAY_WORDS:
        message = re.sub(path, command, message)
    return message


def with_remedy(code: str, detail: str) -> str:
    """The server's sentence as a person at the command line needs it."""
    if code == "unauthorized":
        return f"The control plane does not accept the token of {token_source()}. {detail}"
    if code in OWN_WORDS:
        return OWN_WORDS[code]
    remedy = PROBLEM_REMEDIES.get(code)
    return f"{detail} {remedy}" if remedy else detail
