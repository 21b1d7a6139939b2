-- The target of a customer that a delivery goes to is a part of its key: a message may go to several of them, a device each.
-- 0 is the only target of a message that goes to one address. The key orders the table, so its rows are written anew.
CREATE TABLE delivery_by_target (
    run INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    node INTEGER NOT NULL,
    target INTEGER NOT NULL DEFAULT 0,
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
    segments INTEGER,                   -- of a text message
    PRIMARY KEY (run, customer, node, target)
) STRICT, WITHOUT ROWID;
INSERT INTO delivery_by_target (run, customer, node, channel, state, attempt, doubtful, address, digest, provider_id, reason,
        first_at, last_at, retry_at, done_at, passed, segments)
    SELECT run, customer, node, channel, state, attempt, doubtful, address, digest, provider_id, reason,
        first_at, last_at, retry_at, done_at, passed, segments
    FROM delivery ORDER BY run, customer, node;
DROP TABLE delivery;
ALTER TABLE delivery_by_target RENAME TO delivery;
CREATE INDEX delivery_waiting ON delivery (channel, state, retry_at) WHERE state IN (0, 2);
CREATE INDEX delivery_held ON delivery (channel, run) WHERE state = 6;
