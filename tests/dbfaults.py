"""Has the database end statements as it ends the victims of deadlocks and conflicts: by triggers that raise its errors.

What counts are sequences: a rollback does not turn them back.
"""

from collections.abc import Callable

Execute = Callable[[str], object]


def begin(execute: Execute, *tables: str, fails: str, counters: int = 1) -> None:
    """From now on let inserts into and updates of tables fail where `fails` says so.

    `fails` is an SQL expression of n, the number of the statement from 1 on: an SQLSTATE, or NULL for no failure. With
    several counters each connection has one of its own, or nearly so.
    """
    execute("CREATE SCHEMA test_failures")
    execute(
        f"DO $$ BEGIN FOR n IN 0..{counters - 1} LOOP "
        "EXECUTE 'CREATE SEQUENCE test_failures.seen_' || n; END LOOP; END $$"
    )
    execute(
        "CREATE FUNCTION test_failures.fail() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE "
        f"n bigint := nextval('test_failures.seen_' || mod(pg_backend_pid(), {counters})); "
        f"code text := {fails}; BEGIN "
        "IF code IS NOT NULL THEN RAISE EXCEPTION 'injected' USING ERRCODE = code; END IF; RETURN NULL; END $$"
    )
    for table in tables:
        execute(
            f"CREATE TRIGGER test_fail BEFORE INSERT OR UPDATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION test_failures.fail()"
        )


def end(execute: Execute, *tables: str) -> None:
    """Let everything succeed again. A table at a time, since whoever locks several may meet the product halfway."""
    for table in tables:
        execute(f"DROP TRIGGER IF EXISTS test_fail ON {table}")
    execute("DROP SCHEMA IF EXISTS test_failures CASCADE")
