-- The customers' file: customers, their events and the side tables audiences are found by. Times are UTC
-- microseconds. Documents are JSON with sorted names, as the program writes them; it alone parses them, because
-- SQLite's own reading of a decimal may be off by one in the last place.

CREATE TABLE customer (
    key INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, also after a deletion
    registered TEXT NOT NULL UNIQUE,        -- its index is also the shortest way through all keys
    other_ids TEXT NOT NULL,                -- JSON: id by kind, without `registered`
    attributes TEXT NOT NULL,               -- JSON
    consents TEXT NOT NULL                  -- JSON: boolean by category
) STRICT;

CREATE TABLE other_id (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    customer INTEGER NOT NULL REFERENCES customer (key),
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_type (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- ties in time go by it
    customer INTEGER NOT NULL,
    type INTEGER NOT NULL,
    time INTEGER NOT NULL,
    properties TEXT NOT NULL                -- JSON
) STRICT;
CREATE INDEX event_by_customer ON event (customer, type, time);
CREATE INDEX event_by_type ON event (type, time, customer);

-- The indexes that scenarios need, and how far each is. Every write keeps every one of them that is not being
-- dropped; filling adds what was there before.
CREATE TABLE side_index (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    definition TEXT NOT NULL,               -- JSON: what it is on; one at a time that is not being dropped
    state INTEGER NOT NULL,                 -- 0 filling, 1 complete, 2 being dropped
    filled_to INTEGER NOT NULL,             -- customers, or events, up to this key are in it
    unneeded_since INTEGER                  -- since when no scenario needs it
) STRICT;

-- One row an indexed attribute of a customer. `value` keeps its own type: numbers compare by exact value, texts by
-- code point; `kind` keeps a text `5` from a number 5 and true from 1. Lists and objects have 1, or 0 if empty.
CREATE TABLE attribute_entry (
    idx INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    value ANY NOT NULL,
    customer INTEGER NOT NULL,
    PRIMARY KEY (idx, kind, value, customer)
) STRICT, WITHOUT ROWID;

-- One row an indexed property of an event.
CREATE TABLE event_entry (
    idx INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    value ANY NOT NULL,
    time INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (idx, kind, value, time, customer, event)
) STRICT, WITHOUT ROWID;
