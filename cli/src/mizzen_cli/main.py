"""The `mizzen` command: puts the commands together and turns failures into a sentence and an exit code."""

import sys
from collections.abc import Callable
from functools import cache

import typer
from rich.console import Console
from rich.text import Text
from typer.main import get_command

from mizzen_cli.commands import (
    access,
    api,
    audit,
    backups,
    calls,
    deployments,
    engines,
    gateway,
    grants,
    import_credentials,
    installation,
    invoices,
    keys,
    limits,
    model_content,
    model_imports,
    model_records,
    model_scans,
    model_signatures,
    models,
    money,
    operations,
    projects,
    quotas,
    rollout,
    secrets_at_rest,
    service_accounts,
    sign_in,
    signing_keys,
    webhooks,
)
from mizzen_cli.errors import CommandError, ExitCode

EPILOG = (
    "Exit codes: 0 done; 1 refused; 2 wrong usage or machine not ready; 3 not found; 4 no answer from the server; "
    "5 timed out; 130 interrupted."
)

app = typer.Typer(
    name="mizzen",
    help="Models as a service on your own machines: push a model, deploy it, call it, limit it, bill it.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
installation.register(app)
backups.register(app)
api.register(app)
deployments.register(app)
calls.register(app)
sign_in.register(app)
limits.register(app)
money.register(app)
app.add_typer(invoices.app, name="invoices")
app.add_typer(invoices.billing, name="billing")
app.add_typer(invoices.credits_in_hand, name="credits")
model_imports.register(models.app)
model_records.register(models.app)
app.add_typer(access.app, name="access")
app.add_typer(audit.app, name="audit")
model_scans.register(models.app)
model_signatures.register(models.app)
model_content.register(models.app)
app.add_typer(models.app, name="models")
app.add_typer(import_credentials.app, name="import-credentials")
app.add_typer(rollout.app, name="rollout")
app.add_typer(operations.app, name="operations")
app.add_typer(keys.app, name="keys")
app.add_typer(grants.app, name="grants")
app.add_typer(projects.app, name="projects")
app.add_typer(quotas.app, name="quotas")
app.add_typer(secrets_at_rest.app, name="secrets")
app.add_typer(service_accounts.app, name="service-accounts")
app.add_typer(signing_keys.app, name="signing-keys")
app.add_typer(engines.app, name="engines")
app.add_typer(gateway.app, name="gateway")
app.add_typer(webhooks.app, name="webhooks")


@cache
def command() -> Callable[[], object]:
    """All commands; they take a while to put together."""
    return get_command(app)


def main() -> None:
    """Entry point of the `mizzen` script."""
    try:
        command()()
    except CommandError as error:
        sentence = Text.assemble(("error: ", "red"), str(error))
        Console(stderr=True).print(sentence, highlight=False, soft_wrap=True)
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
