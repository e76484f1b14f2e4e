"""The SQL script by which an agency's PostgreSQL tells of changes by itself; printed, and run by whoever owns the tables.

Everything in it comes from the mapping: a table, its schema and the columns of codes, each quoted.
"""

from __future__ import annotations

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from adapters.onestop.mapping import SourceMapping
from domain.errors import SettingsError

CHANNEL = "tracuu_dossier"
LONGEST_NAME = 63  # bytes of a name in PostgreSQL; it cuts off the rest, so that two might become one
LONGEST_CODE = 200  # characters: a payload of 8,000 bytes would be an error, and stop whoever writes

SCRIPT = """\
-- Tra cuu Gateway: tell changes of dossiers in {title} at once.
--
-- What it does: after a row of {table} was inserted, updated or deleted, PostgreSQL notifies the channel
-- "{channel}" of its code; after a code was changed or deleted, of the old one, too. Nothing else leaves the
-- database that way, no name and no state: the gateway reads the dossier as ever. Who may connect to this database may
-- listen to these codes.
-- What it does not do: {table} alone is watched{joins}.
-- Nothing is kept for a gateway that is away; it asks the tables itself then.
-- What it costs: in a load that only writes, writers kept 0.47 to 0.58 of their rate. A statement that changes many
-- rows notifies as many codes: before a mass import, switch it off
--     ALTER TABLE {table} DISABLE TRIGGER {trigger};
-- and on again with ENABLE TRIGGER. A listener that hangs fills PostgreSQL's queue of notifications (8 GB), and a full
-- queue stops writers: watch pg_notification_queue_usage().
-- It may be run again at any time. To be run by the owner of the table, who alone may do it, not as the gateway's
-- account, which only reads.
-- How to remove it:
--     DROP TRIGGER IF EXISTS {trigger} ON {table};
--     DROP FUNCTION IF EXISTS {function}();

BEGIN;
SET LOCAL lock_timeout = '5s'; -- rather fail than make everybody wait behind this script

CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $tracuu$
BEGIN
    IF TG_OP <> 'DELETE' THEN
{new}
    END IF;
    IF TG_OP <> 'INSERT' THEN
{old}
    END IF;
    RETURN NULL;
END
$tracuu$;

DROP TRIGGER IF EXISTS {trigger} ON {table};
CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {function}();

COMMIT;
"""
TELL = """\
        IF {row}.{column} IS NOT NULL{unless} THEN
            PERFORM pg_catalog.pg_notify('{channel}', pg_catalog.left({row}.{column}::text, {longest}));
        END IF;"""


def trigger_script(mapping: SourceMapping, url: str, *, name: str | None = None) -> str:
    """The script for the table of one source at `url`, for PostgreSQL 11 and newer.

    Raises:
        SettingsError: that is no PostgreSQL.
    """
    source = name or mapping.name
    try:
        system = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):  # its text may hold the password
        raise SettingsError(f"source {source}: its address cannot be read") from None
    if system != "postgresql":
        raise SettingsError(f"source {source}: only PostgreSQL tells of changes by itself, and this is {system}")
    schema = f"{_quoted(mapping.db_schema)}." if mapping.db_schema else ""
    own = _shortened(f"tracuu_{mapping.table}_changed")
    beside = ", ".join(join.table for join in mapping.joins)
    return SCRIPT.format(
        title=_one_line(source),
        table=schema + _quoted(mapping.table),
        channel=CHANNEL,
        joins=f", not what is joined to it ({_one_line(beside)})" if beside else "",
        function=schema + _quoted(own),
        trigger=_quoted(own),
        new=_tell(mapping, "NEW", unless=""),
        old=_tell(mapping, "OLD", unless=" AND (TG_OP = 'DELETE' OR NEW.{column} IS DISTINCT FROM OLD.{column})"),
    )


def _tell(mapping: SourceMapping, row: str, *, unless: str) -> str:
    columns = map(_quoted, mapping.code_columns().values())
    return "\n".join(
        TELL.format(row=row, column=column, unless=unless.format(column=column), channel=CHANNEL, longest=LONGEST_CODE)
        for column in columns
    )


def _quoted(name: str) -> str:
    """A name that stays one whatever it holds; a dollar would end the function's text, a line break a comment."""
    if "$" in name or name != _one_line(name):
        raise SettingsError(f"the name {name!r} cannot be written into a script")
    return '"' + name.replace('"', '""') + '"'


def _shortened(name: str) -> str:
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def _one_line(text: str) -> str:
    return " ".join(text.split())
