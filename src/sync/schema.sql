-- What throng sync remembers from night to night. Times are milliseconds since 1970, UTC.

-- An audience of the job.
CREATE TABLE audience (
    label          TEXT PRIMARY KEY,
    target         TEXT NOT NULL,                -- where it is and what it is called there
    generation     INTEGER NOT NULL DEFAULT 0,   -- how often it was replaced
    first_run      INTEGER NOT NULL DEFAULT 0,   -- entries of earlier runs are not in it
    next_first_run INTEGER,                      -- the run that began to replace it; NULL if it is not being replaced
    delete_id      TEXT                          -- the audience that was replaced and is still to be deleted
) STRICT, WITHOUT ROWID;

-- A night.
CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    state      TEXT NOT NULL       -- preparing: nothing was sent · uploading: some of it may have been ·
                                   -- settled: its directory holds what the API has confirmed, and nothing else
               CHECK (state IN ('preparing', 'uploading', 'settled')),
    started_at INTEGER NOT NULL,
    record     TEXT                -- what it came to, in JSON; exit code 137 until it has ended
) STRICT;

-- Which target of the ledger an audience of a run goes to. It is written before anything is sent.
CREATE TABLE upload (
    run_id    INTEGER NOT NULL REFERENCES run,
    label     TEXT NOT NULL,
    target_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, label)
) STRICT, WITHOUT ROWID;
