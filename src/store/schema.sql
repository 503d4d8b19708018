-- The store of throng: which audiences there are, what is in them, and the runs that put it there. Times are
-- milliseconds since 1970, UTC. There is no token in it, and no entry: parts are known by the digest of the whole file.

-- An audience as people think of it. It may be built anew, so that there are several generations of it.
CREATE TABLE audience (
    id         INTEGER PRIMARY KEY,
    endpoint   TEXT NOT NULL,
    ad_account TEXT NOT NULL,
    user_type  TEXT NOT NULL,
    name       TEXT,              -- as it was asked to be created; NULL if it was given by its number
    given_id   TEXT,              -- the number that it was given by; NULL if it was to be created
    label      TEXT,              -- what a job calls it; NULL if it is of no job
    must_go    INTEGER,           -- entries that opted out and are, or may be, in it, as far as is known
    must_go_at INTEGER,           -- when that was found out
    CHECK ((name IS NULL) != (given_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX audience_by_name ON audience (endpoint, ad_account, user_type, name) WHERE name IS NOT NULL;
CREATE UNIQUE INDEX audience_by_given_id ON audience (endpoint, given_id) WHERE given_id IS NOT NULL;
CREATE INDEX audience_by_label ON audience (label) WHERE label IS NOT NULL;

-- What the platform knows as one audience.
CREATE TABLE generation (
    id          INTEGER PRIMARY KEY,
    audience_id INTEGER NOT NULL REFERENCES audience,
    number      INTEGER NOT NULL, -- counted from 1
    role        TEXT NOT NULL     -- live: advertisers use it · next: it is being built to take the place of the live one ·
                                  -- old: another one has taken its place, and it is to be deleted
                CHECK (role IN ('live', 'next', 'old')),
    state       TEXT NOT NULL     -- planned: it does not exist · intent: it may exist · ready: it exists ·
                                  -- deleted: it existed once
                CHECK (state IN ('planned', 'intent', 'ready', 'deleted')),
    name        TEXT,             -- what it is created as; NULL if it was given by its number
    platform_id TEXT,             -- the vendor's number, once it is known
    fb_id       TEXT,             -- Facebook's number, once it is known
    marker      TEXT,             -- what its description holds, so that it is found again
    created_at  INTEGER NOT NULL,
    removed_opted_out INTEGER NOT NULL DEFAULT 0, -- entries that were taken out of it because they opted out, and of which no
                                                  -- record of a run tells yet
    removed_gone INTEGER NOT NULL DEFAULT 0,      -- the same of those that are no members any more
    UNIQUE (audience_id, number),
    CHECK (state != 'ready' OR platform_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX generation_by_role ON generation (audience_id, role) WHERE role != 'old' AND state != 'deleted';

-- A file of entries that never changes.
CREATE TABLE part (
    sha256  TEXT PRIMARY KEY,
    entries INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    kept_in INTEGER               -- the run in whose folder the state directory has it, at parts/RUN/SHA256.txt; NULL if
                                  -- it has not: who uploaded it has it, or nobody needs it any more
) STRICT, WITHOUT ROWID;

-- What a part is for, and how far it is.
CREATE TABLE delivery (
    generation_id INTEGER NOT NULL REFERENCES generation,
    purpose       TEXT NOT NULL   -- add: its entries are to be in the audience · remove: they are to be taken out of it
                  CHECK (purpose IN ('add', 'remove')),
    sha256        TEXT NOT NULL REFERENCES part,
    state         TEXT NOT NULL   -- intended: no request with it can have taken effect · sent: a request with it is under
                                  -- way, or its run was killed · unknown: it may have taken effect · confirmed: the
                                  -- platform said so, and it is never sent again
                  CHECK (state IN ('intended', 'sent', 'unknown', 'confirmed')),
    run_id        INTEGER NOT NULL REFERENCES run, -- the last run that was to send it
    file          TEXT NOT NULL,  -- what the platform is told that it is called
    confirmed_by  INTEGER REFERENCES run,          -- the run whose request was confirmed
    confirmed_at  INTEGER,
    entries_done  INTEGER NOT NULL DEFAULT 0, -- where it goes in batches: how many entries, from the first, are confirmed
    entries_invalid INTEGER NOT NULL DEFAULT 0, -- how many of these the platform took for none
    opted_out     INTEGER NOT NULL DEFAULT 0, -- of a removal of a job: how many of its entries opted out
    PRIMARY KEY (generation_id, purpose, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_by_part ON delivery (sha256);

-- The last batch of the session in which a generation is changed, where a platform has such. What a number of a session
-- stands for never changes, or the platform would take another batch for one that it has already.
CREATE TABLE session (
    generation_id INTEGER NOT NULL REFERENCES generation,
    purpose       TEXT NOT NULL CHECK (purpose IN ('add', 'remove')),
    id            INTEGER NOT NULL, -- what the platform knows the session by
    number        INTEGER NOT NULL, -- of the batch, counted from 1
    sha256        TEXT NOT NULL,    -- the part that it is cut from
    first_entry   INTEGER NOT NULL, -- where in the part it begins, counted from 0
    is_last       INTEGER NOT NULL, -- 1 if the platform was told that no other batch follows
    is_confirmed  INTEGER NOT NULL, -- 1 if the platform said that it has it
    at            INTEGER NOT NULL, -- when it was sent
    PRIMARY KEY (generation_id, purpose)
) STRICT, WITHOUT ROWID;

-- A run of throng that uploads.
CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    command    TEXT NOT NULL,     -- what goes on with it
    version    TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    options    TEXT,              -- of a job that has prepared: the options that decide what a value becomes, in JSON
    record     TEXT               -- of a job: what it came to, in JSON; exit code 137 until it has ended
) STRICT;

-- What a run was to send to a generation, and what came of it.
CREATE TABLE upload (
    run_id        INTEGER NOT NULL REFERENCES run,
    generation_id INTEGER NOT NULL REFERENCES generation,
    purpose       TEXT NOT NULL CHECK (purpose IN ('add', 'remove')),
    directory     TEXT NOT NULL,  -- where its parts are
    parts         INTEGER NOT NULL,
    entries       INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,        -- NULL while it is going on, and if it was killed
    exit_code     INTEGER,
    message       TEXT,           -- the error, if there was one
    PRIMARY KEY (run_id, generation_id, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_by_generation ON upload (generation_id);

-- A request of a run, and what it came to; a list of several pages is one, and so are the batches of a part.
CREATE TABLE request (
    id            INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL REFERENCES run,
    generation_id INTEGER NOT NULL REFERENCES generation,
    call          TEXT NOT NULL,  -- create, add, remove, list, details, delete
    sha256        TEXT,           -- the part that it carried
    marker        TEXT,           -- of a create: what the audience's description then holds
    may_hold      INTEGER NOT NULL, -- 1 while it may have taken effect and no answer has confirmed it
    began_at      INTEGER NOT NULL,
    ended_at      INTEGER,        -- NULL while it is under way, and if the run ended before it did
    outcome       TEXT,           -- confirmed, or the kind of failure
    status        INTEGER         -- of the answer, if it was a failure that had one
) STRICT;
CREATE INDEX request_by_run ON request (run_id, generation_id);
