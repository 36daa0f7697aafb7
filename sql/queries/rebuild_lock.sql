-- Takes the session's lock that lets one worker at a time rebuild Redis. One row: taken (bool)
SELECT pg_try_advisory_lock(hashtext('mcs rebuild'))
