-- What people have paused. It outranks what is declared until it is resumed.
CREATE TABLE pause (
    kind text NOT NULL,
    name text NOT NULL,
    who text NOT NULL,
    reason text NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (kind, name)
);
