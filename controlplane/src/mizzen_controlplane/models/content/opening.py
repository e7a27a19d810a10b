"""Which place keeps the content of artifacts? What the settings name; the folder where they name none."""

from pathlib import Path

from mizzen_controlplane.kit.content_store import ContentStore
from mizzen_controlplane.kit.settings import Settings, SettingsError
from mizzen_controlplane.models.content.folder import FolderStore


def open_content(settings: Settings) -> ContentStore:
    """The place; nothing is connected to yet. Raises SettingsError."""
    if not settings.artifacts_url:
        return FolderStore(settings.data_dir)
    # Imported where it is used: the library takes memory that an installation with a folder need not give.
    from mizzen_controlplane.models.content.bucket import open_bucket

    named = {"endpoint": settings.artifacts_endpoint, "region": settings.artifacts_region}
    given = {name: value for name, value in named.items() if value}
    return open_bucket(
        settings.artifacts_url, given | _secrets(settings.artifacts_secrets_dir), signs=settings.artifacts_direct
    )


def _secrets(folder: Path | None) -> dict[str, str]:
    """File name -> content; the names are obstore's own, such as access_key_id and secret_access_key."""
    if folder is None:
        return {}
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        return {path.name.lower(): path.read_text().strip() for path in files}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"MIZZEN_ARTIFACTS_SECRETS_DIR is {folder}, which cannot be read ({error}). It names a folder with the "
            "files access_key_id and secret_access_key."
        ) from error
