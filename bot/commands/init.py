"""`sluice init`: a configuration to edit, and a place for secrets that nobody else can read."""

from pathlib import Path

import click

from bot.commands import options
from bot.commands.files import place
from bot.errors import ConfigError
from bot.render import Out

PROFILES = ("paper", "demo", "testnet", "live")
SECRETS = """\
# Keys and passwords. Only the owner may read this file (mode 0600). The environment comes first: a variable that is set there wins.
# Paper trading and replay need none of them. A key for trading needs no right to withdraw: leave that right off.
"""


@click.command(cls=options.Command, examples=("sluice init", "sluice init --profile testnet --directory bot1"))
@click.option("--profile", type=click.Choice(PROFILES), default="paper", show_default=True, help="What the bot may do.")
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to write.  [default: here]")
@click.option("--force", is_flag=True, help="Overwrite config.toml. Secrets are never overwritten.")
@options.common
def init(profile: str, directory: Path, force: bool, as_json: bool) -> None:
    """Write a commented config.toml with every setting, its unit and its default, and a secrets file of mode 0600."""
    from bot.config import Config
    from bot.config.docs import default_text
    from bot.config.secrets import NAMES

    out = Out(as_json)
    text = default_text(profile)
    target = directory / "config.toml"
    secrets = directory / Config().account.secrets
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already and stays as it is.  Use sluice config check, or sluice init --force to replace it")
    directory.mkdir(parents=True, exist_ok=True)
    place(target, text, 0o644)
    made = not secrets.exists()
    if made:
        secrets.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place(secrets, SECRETS + "".join(f"\n# {says}\n# {name}=\n" for name, says in NAMES.items()), 0o600)
    lines = [f"{target}  profile {profile}", f"{secrets}  {'mode 0600' if made else 'kept as it was'}"]
    lines += ["", "Next: sluice config check", "      sluice doctor", f"      sluice {'demo' if profile == 'demo' else 'paper'}"]
    out.answer({"profile": profile, "config": str(target), "secrets": str(secrets), "secrets_written": made}, lines)
