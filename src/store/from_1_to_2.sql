-- Platforms that take people out, and batches.

ALTER TABLE delivery RENAME TO delivery_before;
CREATE TABLE delivery (
    generation_id INTEGER NOT NULL REFERENCES generation,
    purpose       TEXT NOT NULL CHECK (purpose IN ('add', 'remove')),
    sha256        TEXT NOT NULL REFERENCES part,
    state         TEXT NOT NULL CHECK (state IN ('intended', 'sent', 'unknown', 'confirmed')),
    run_id        INTEGER NOT NULL REFERENCES run,
    file          TEXT NOT NULL,
    confirmed_by  INTEGER REFERENCES run,
    confirmed_at  INTEGER,
    entries_done  INTEGER NOT NULL DEFAULT 0,
    entries_invalid INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation_id, purpose, sha256)
) STRICT, WITHOUT ROWID;
INSERT INTO delivery (generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at)
    SELECT generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at FROM delivery_before;
DROP TABLE delivery_before;
CREATE INDEX delivery_by_part ON delivery (sha256);

CREATE TABLE session (
    generation_id INTEGER NOT NULL REFERENCES generation,
    purpose       TEXT NOT NULL CHECK (purpose IN ('add', 'remove')),
    id            INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    first_entry   INTEGER NOT NULL,
    is_last       INTEGER NOT NULL,
    is_confirmed  INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (generation_id, purpose)
) STRICT, WITHOUT ROWID;

ALTER TABLE upload RENAME TO upload_before;
CREATE TABLE upload (
    run_id        INTEGER NOT NULL REFERENCES run,
    generation_id INTEGER NOT NULL REFERENCES generation,
    purpose       TEXT NOT NULL CHECK (purpose IN ('add', 'remove')),
    directory     TEXT NOT NULL,
    parts         INTEGER NOT NULL,
    entries       INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    exit_code     INTEGER,
    message       TEXT,
    PRIMARY KEY (run_id, generation_id, purpose)
) STRICT, WITHOUT ROWID;
INSERT INTO upload SELECT run_id, generation_id, 'add', directory, parts, entries, bytes, started_at, ended_at, exit_code, message
    FROM upload_before;
DROP TABLE upload_before;
CREATE INDEX upload_by_generation ON upload (generation_id);
