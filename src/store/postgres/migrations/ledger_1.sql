-- The ledger of one tenant: calls, runs, chunks, leases, keys and deliveries. Times are UTC microseconds. States are
-- the numbers that `domain::state` gives them; those named in an index's condition never change their number.
--
-- Only `delivery` grows with the customers: it is keyed by customer, may be distributed by it, and no row of it is
-- ever locked by name. Everything else stays in one place, and only that is locked.

-- Everything in force at one time, by the hash of its content. Kept while an unfinished call refers to it.
CREATE TABLE version (
    id text PRIMARY KEY,
    content text NOT NULL,
    created_at bigint NOT NULL
);

-- The trigger log: every accepted call, and refused ones. Ids are UUIDs of version 7 as text: their order is that of
-- time.
CREATE TABLE call (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    request text COLLATE "C",
    trigger_name text NOT NULL,
    credential text,
    received_at bigint NOT NULL,
    expires_at bigint,
    version text,
    params text,
    state smallint NOT NULL,            -- accepted, running, done, failed, cancelled, expired, refused
    http_status int NOT NULL,
    reason text,
    not_fired text,
    finished_at bigint
) WITH (fillfactor = 80);
CREATE INDEX call_by_trigger ON call (trigger_name, id);
CREATE INDEX call_by_request ON call (request, id) WHERE request IS NOT NULL;
CREATE INDEX call_open ON call (seq) WHERE state IN (0, 1);
-- What counts against a trigger's rate window.
CREATE INDEX call_counted ON call (trigger_name, received_at) WHERE state <> 6;

-- 401, 403 and 404 beyond ten a second a trigger are only counted.
CREATE TABLE refusal_count (
    trigger_name text NOT NULL,
    http_status int NOT NULL,
    reason text NOT NULL,
    minute bigint NOT NULL,
    refusals bigint NOT NULL,
    PRIMARY KEY (trigger_name, minute, http_status, reason)
);

-- Idempotency keys (kind 0: scope is trigger and credential) and deduplication keys (kind 1: scope is the trigger).
CREATE TABLE call_key (
    kind smallint NOT NULL,
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body_digest bytea NOT NULL,
    answer text NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (scope, key, kind)
);
CREATE INDEX call_key_expiry ON call_key (expires_at);

-- One row a trigger with a rate window: whoever accepts calls within it holds this row, and nobody else does then.
CREATE TABLE rate_counter (
    trigger_name text PRIMARY KEY
);

-- One row a channel with a rate: the moment up to which starts have been given out, over all replicas.
CREATE TABLE channel_rate (
    channel text PRIMARY KEY,
    given_to bigint NOT NULL            -- UTC microseconds of the server's clock
);

-- One row a process: what it owns is its own while this lease runs, on the server's clock.
CREATE TABLE replica (
    owner text PRIMARY KEY,
    lease_until timestamptz NOT NULL
);

-- One scenario executing for one call, on the version the call came in with.
CREATE TABLE run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call bigint NOT NULL REFERENCES call (seq),
    accepted_at bigint NOT NULL,        -- of its call: where its deliveries are kept
    scenario text NOT NULL,
    state smallint NOT NULL,            -- selecting, running, done, failed, cancelled
    audience bigint,
    access text,
    stopping boolean NOT NULL DEFAULT false,
    failures int NOT NULL DEFAULT 0,
    error text,
    started_at bigint NOT NULL,
    finished_at bigint,
    owner text,                         -- who reads its audience
    UNIQUE (call, scenario)
) WITH (fillfactor = 50);
CREATE INDEX run_open ON run (id) WHERE state IN (0, 1);

-- The audience, read once, in chunks of sorted customer keys. Customers before `position` are decided. An opening
-- locks the row as a key (FOR KEY SHARE); moving `position` does not disturb it; taking the chunk waits for it.
CREATE TABLE chunk (
    run bigint NOT NULL REFERENCES run (id),
    n int NOT NULL,
    first_key bigint NOT NULL,
    last_key bigint NOT NULL,
    size bigint NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    state smallint NOT NULL DEFAULT 0,  -- open, done
    owner text,
    fence bigint NOT NULL DEFAULT 0,
    counts text,
    PRIMARY KEY (run, n)
) WITH (fillfactor = 50);
CREATE INDEX chunk_open ON chunk (run, n) WHERE state = 0;

-- The keys of a chunk, apart from it, because the row of a chunk changes with every window.
CREATE TABLE chunk_customers (
    run bigint NOT NULL,
    n int NOT NULL,
    customers bytea NOT NULL,
    PRIMARY KEY (run, n)
);

-- One message to one customer through one channel. Kept by the time its call was accepted, which is the same in
-- every delivery of a call; led by the run, as chunks are.
CREATE TABLE delivery (
    run bigint NOT NULL,
    customer bigint NOT NULL,
    node int NOT NULL,
    accepted_at bigint NOT NULL,
    channel text NOT NULL,
    state smallint NOT NULL,            -- queued, sending, retrying | sent, failed, unknown, held, skipped, cancelled, expired
    attempt int NOT NULL,
    doubtful boolean NOT NULL DEFAULT false,
    passed boolean NOT NULL DEFAULT false,
    address text,
    digest bytea,
    provider_id text,
    reason text,
    first_at bigint,
    last_at bigint,
    retry_at bigint,
    done_at bigint,
    PRIMARY KEY (run, customer, node, accepted_at)
) PARTITION BY RANGE (accepted_at);
CREATE INDEX delivery_waiting ON delivery (channel, state, retry_at) WHERE state IN (0, 2);
CREATE INDEX delivery_held ON delivery (channel, run) WHERE state = 6;
CREATE TABLE delivery_default PARTITION OF delivery DEFAULT WITH (fillfactor = 70);
