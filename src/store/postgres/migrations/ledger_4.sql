-- The call's span as a W3C traceparent; NULL for nearly all.
ALTER TABLE call ADD COLUMN trace text;

-- What accept_calls_1 does, for a batch in which some calls belong to a trace.
CREATE FUNCTION accept_traced_calls_1(
    moment bigint,
    call_id text[], call_request text[], call_trigger text[], call_credential text[], call_received bigint[],
    call_expires bigint[], call_version text[], call_params text[],
    key_kind smallint[], key_scope text[], key_text text[], key_digest bytea[], key_answer text[],
    key_expires bigint[],
    rate_trigger text[], rate_calls bigint[], rate_since bigint[], rate_new bigint[],
    traced_id text[], traced_by text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM accept_calls_1(moment, call_id, call_request, call_trigger, call_credential, call_received, call_expires,
        call_version, call_params, key_kind, key_scope, key_text, key_digest, key_answer, key_expires, rate_trigger,
        rate_calls, rate_since, rate_new);
    UPDATE call c SET trace = t.trace FROM unnest(traced_id, traced_by) t (id, trace) WHERE c.id = t.id;
END $$;
