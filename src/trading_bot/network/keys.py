"""Keys of vendors, from the environment of the desk's or the guardian's process, and from nowhere else.

Promises that a key is never printed: not by `repr`, not in a record, not in a message. Refuses keys in the configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_bot.domain.errors import BrokerKeysError


@dataclass(frozen=True)
class Keys:
    """One vendor's pair of keys."""

    key: str = field(repr=False)
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return "***"

    def hide(self, text: str) -> str:
        """Return `text` without the keys, for what a vendor's library says."""
        for word in (self.secret, self.key):
            text = text.replace(word, "***")
        return text


def keys_from(environment: Mapping[str, str], key: str, secret: str) -> Keys:
    """Return the keys in the variables called `key` and `secret`. BrokerKeysError names the one that is missing."""
    missing = [name for name in (key, secret) if not environment.get(name, "").strip()]
    if missing:
        which, them = (f"{' and '.join(missing)} are", "them") if len(missing) > 1 else (f"{missing[0]} is", "it")
        raise BrokerKeysError(f"{which} not set: export {them} in the environment of this process, never in config.yaml")
    return Keys(environment[key].strip(), environment[secret].strip())
