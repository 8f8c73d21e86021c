"""Settings: flag > environment (`HEADWATER_…`) > `headwater.toml` > default. One class, no other place."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Settings(BaseSettings):
    """What a user can set; `headwater config show` prints it with secrets masked."""

    model_config = SettingsConfigDict(env_prefix="HEADWATER_", toml_file="headwater.toml", extra="ignore", frozen=True)

    home: Path = Field(
        default=Path("~/.local/share/headwater"),
        description="Folder of the embedded database, columns and results; two folders are two instances",
    )
    database_url: SecretStr | None = Field(
        default=None, description="A Postgres (15 or newer) to use instead of the embedded one"
    )
    data: Path | None = Field(
        default=None, description="Folder of real chain data that `headwater demo` and the tests also use"
    )
    host: str = Field(default="127.0.0.1", description="Address that `headwater serve` listens on")
    port: int = Field(default=8740, ge=0, le=65535, description="Port that `headwater serve` listens on")
    statement_timeout_ms: int = Field(
        default=2_000, ge=1, description="Bound on each SQL statement that a REST request runs"
    )
    service_database_url: SecretStr | None = Field(
        default=None,
        description="The service's own role on that Postgres, where somebody else manages roles; left out, one is made",
    )
    anonymous_scopes: str = Field(
        default="chain:read,trace:run",
        description="What a caller without a key may do; nothing that has to do with companies can be in it",
    )
    rate_per_second: float = Field(default=200, gt=0, description="Requests a second that one caller may go on making")
    rate_burst: int = Field(default=1_000, ge=1, description="Requests that one caller may make at once")

    @property
    def folder(self) -> Path:
        """`home`, absolute."""
        return self.home.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (not read: one file is enough)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
