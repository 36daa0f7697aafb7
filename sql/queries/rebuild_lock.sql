-- Takes the lock that lets one worker at a time rebuild Redis, until the transaction ends; not if another
-- one has it. One row: taken (bool), the schema
SELECT pg_try_advisory_xact_lock(hashtext('mcs rebuild')), (SELECT coalesce(max(version), 0) FROM migrations) AS schema
