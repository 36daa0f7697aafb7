-- Takes the session's lock that lets one worker at a time rebuild Redis. One row: taken (bool)
-- A holder that stops in the middle (but whose machine still answers) loses its session, and so the
-- lock, when it has asked nothing for 10 s; servers before PostgreSQL 14 do not know that.
SELECT pg_try_advisory_lock(hashtext('mcs rebuild')),
       CASE WHEN current_setting('idle_session_timeout', true) IS NOT NULL
            THEN set_config('idle_session_timeout', '10s', false) END
