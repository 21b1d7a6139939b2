-- The call's span as a W3C traceparent; NULL for nearly all.
ALTER TABLE call ADD COLUMN trace TEXT;
