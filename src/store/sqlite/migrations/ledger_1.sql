-- The ledger: calls, runs, chunks, deliveries and keys. Times are UTC microseconds; ids of rows are small integers.
-- No table here refers to the customers' file: no transaction spans both.

-- Everything in force at one time, by the hash of its content. Kept while an unfinished call refers to it.
CREATE TABLE version (
    id TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The trigger log: every accepted call, and refused ones. A refused call has a status and a reason, no params
-- before authentication, and never a run.
CREATE TABLE call (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    request TEXT,                       -- the request's id, where one request made several calls
    trigger_name TEXT NOT NULL,
    credential TEXT,                    -- who called, by the credential's name; never the secret
    received_at INTEGER NOT NULL,       -- `now` in conditions and contents
    expires_at INTEGER,
    version TEXT,                       -- in force when it was accepted
    params TEXT,
    state INTEGER NOT NULL,             -- accepted, running, done, failed, cancelled, expired, refused
    http_status INTEGER NOT NULL,
    reason TEXT,                        -- why it was refused or failed
    not_fired TEXT,                     -- JSON: the scenarios that listen and did not fire, with reasons
    finished_at INTEGER
) STRICT;
-- Ids are UUIDs of version 7: this order is that of time, and a page or a stretch of time is a range of it.
CREATE INDEX call_by_trigger ON call (trigger_name, id);
CREATE INDEX call_by_request ON call (request, id) WHERE request IS NOT NULL;
CREATE INDEX call_open ON call (seq) WHERE state IN (0, 1);

-- 401, 403 and 404 beyond ten a second a trigger are only counted.
CREATE TABLE refusal_count (
    trigger_name TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    minute INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    PRIMARY KEY (trigger_name, minute, http_status, reason)
) STRICT, WITHOUT ROWID;

-- Idempotency keys (kind 0: scope is trigger and credential) and deduplication keys (kind 1: scope is the trigger).
CREATE TABLE call_key (
    kind INTEGER NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    answer TEXT NOT NULL,               -- JSON: what the first one was answered
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_key_expiry ON call_key (expires_at);

-- One scenario executing for one call, on the version the call came in with.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    call INTEGER NOT NULL REFERENCES call (seq),
    scenario TEXT NOT NULL,
    state INTEGER NOT NULL,             -- selecting, running, done, failed, cancelled
    audience INTEGER,                   -- null until the audience has been read
    access TEXT,                        -- how the audience was found, in words
    stopping INTEGER NOT NULL DEFAULT 0,-- told to cancel what has not been sent
    failures INTEGER NOT NULL DEFAULT 0,-- non-transient failures of a step; three stop the run
    error TEXT,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (call, scenario)
) STRICT;
CREATE INDEX run_open ON run (id) WHERE state IN (0, 1);

-- The audience, read once, in chunks of sorted customer keys. Customers before `position` are decided: each has its
-- deliveries, or is at its end without one. A chunk that was stopped is done with `position` short of `size`.
CREATE TABLE chunk (
    run INTEGER NOT NULL REFERENCES run (id),
    n INTEGER NOT NULL,
    first_key INTEGER NOT NULL,         -- chunks of a run do not overlap
    last_key INTEGER NOT NULL,
    size INTEGER NOT NULL,
    position INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0,   -- open, done
    owner TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    counts TEXT,                        -- JSON, once done: journeys by outcome, deliveries by node and state
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

-- The keys of a chunk, apart from it, because the row of a chunk changes with every window. Each key is written as
-- the distance from the one before it, in LEB128; the first as the distance from zero.
CREATE TABLE chunk_customers (
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,
    customers BLOB NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

-- One message to one customer through one channel. Ordered as chunks are, so that a chunk's rows stand together.
CREATE TABLE delivery (
    run INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    node INTEGER NOT NULL,
    channel TEXT NOT NULL,
    state INTEGER NOT NULL,             -- queued, sending, retrying | sent, failed, unknown, held, skipped, cancelled, expired
    attempt INTEGER NOT NULL,           -- attempts that count; 0 while none was made
    doubtful INTEGER NOT NULL DEFAULT 0,-- an attempt ended without it being known whether it was taken
    address TEXT,                       -- of the first attempt, as is the digest
    digest BLOB,                        -- of the rendered message and its address
    provider_id TEXT,
    reason TEXT,
    first_at INTEGER,
    last_at INTEGER,
    retry_at INTEGER,
    done_at INTEGER,
    passed INTEGER NOT NULL DEFAULT 0,  -- the journey has gone on behind this node, or ended there
    PRIMARY KEY (run, customer, node)
) STRICT, WITHOUT ROWID;
-- Rows being sent are found by their open chunks; an index entry for each would double the cost of a message.
CREATE INDEX delivery_waiting ON delivery (channel, state, retry_at) WHERE state IN (0, 2);
CREATE INDEX delivery_held ON delivery (channel, run) WHERE state = 6;
