"""What "the same run" means: the journal as canonical lines, without wall times and without recovery rows.

Promises that two runs with the same records give the same text, in whatever order rows were written.
"""

from collections.abc import Iterator

from trading_bot.domain.values import canonical_json
from trading_bot.ports import Journal
from trading_bot.storage.kinds import RECORDS
from trading_bot.storage.schema import stamp


def export(journal: Journal) -> Iterator[str]:
    """Yield one line of JSON (`at`, `body`, `key`, `kind`) per record that is not of recovery, by time, kind and key."""
    records = [record for kind in RECORDS if not kind.recovery for record in journal.all(kind)]
    for record in sorted(records, key=lambda r: (r.at, r.kind, r.key)):
        yield canonical_json({"at": stamp(record.at), "kind": record.kind, "key": record.key, "body": record.model_dump(mode="json")})
