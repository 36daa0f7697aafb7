-- Gives the lock of rebuild_lock.sql back, and the session its time.
SELECT pg_advisory_unlock(hashtext('mcs rebuild')),
       CASE WHEN current_setting('idle_session_timeout', true) IS NOT NULL
            THEN set_config('idle_session_timeout', '0', false) END
