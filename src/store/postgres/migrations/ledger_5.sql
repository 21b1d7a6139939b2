-- The highest timeline of the database that replicas have seen, by the system that it belongs to: a server on a lower
-- one is an old primary that came back.
CREATE TABLE timeline (
    system bigint PRIMARY KEY,
    highest bigint NOT NULL
);
