-- The ledger of throng: what was sent, and what the API has confirmed. Times are milliseconds since 1970, UTC.

-- An audience that is uploaded to.
CREATE TABLE target (
    id          INTEGER PRIMARY KEY,
    endpoint    TEXT NOT NULL,
    ad_account  TEXT NOT NULL,
    user_type   TEXT NOT NULL,
    name        TEXT,             -- as it was asked to be created; NULL if it was given by its number
    generation  INTEGER NOT NULL DEFAULT 0, -- tells audiences of one name apart, each of which replaces the one before
    audience_id TEXT,             -- the vendor's number, once it is known
    fb_id       TEXT,             -- Facebook's number, once it is known
    marker      TEXT,             -- what its description holds, so that it is found again
    state       TEXT NOT NULL     -- planned: it does not exist · intent: it may exist · ready: it exists
                                  -- deleted: it existed once
                CHECK (state IN ('planned', 'intent', 'ready', 'deleted')),
    created_at  INTEGER NOT NULL,
    CHECK (state != 'ready' OR audience_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX target_by_audience ON target (endpoint, audience_id) WHERE state = 'ready';
CREATE UNIQUE INDEX target_by_name ON target (endpoint, ad_account, user_type, name, generation) WHERE name IS NOT NULL AND state != 'deleted';

-- A run of throng that uploads a directory to a target.
CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    target_id  INTEGER NOT NULL REFERENCES target,
    directory  TEXT NOT NULL,
    command    TEXT NOT NULL,     -- what goes on with it
    version    TEXT NOT NULL,
    parts      INTEGER NOT NULL,
    entries    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,           -- NULL while it is going on, and if it was killed
    exit_code  INTEGER,
    message    TEXT               -- the error, if there was one
) STRICT;

-- A part by its content. It is acknowledged when the API has confirmed it, and then never sent again.
CREATE TABLE part (
    target_id       INTEGER NOT NULL REFERENCES target,
    sha256          TEXT NOT NULL,
    file            TEXT NOT NULL,
    entries         INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,
    planned_by      INTEGER NOT NULL REFERENCES run,
    acknowledged_by INTEGER REFERENCES run,
    acknowledged_at INTEGER,
    PRIMARY KEY (target_id, sha256)
) STRICT, WITHOUT ROWID;

-- A call of the API that a run made, and what it came to; a list of several pages is one.
CREATE TABLE attempt (
    id        INTEGER PRIMARY KEY,
    run_id    INTEGER NOT NULL REFERENCES run,
    call      TEXT NOT NULL,      -- create, add, list, details, delete
    sha256    TEXT,               -- the part that it carried
    began_at  INTEGER NOT NULL,
    ended_at  INTEGER,            -- NULL while it is under way, and if the run ended before it did
    outcome   TEXT,               -- acknowledged, or the kind of failure
    status    INTEGER             -- of the answer, if it was a failure that had one
) STRICT;
CREATE INDEX attempt_by_run ON attempt (run_id);
