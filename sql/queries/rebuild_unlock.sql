-- Gives the lock of rebuild_lock.sql back.
SELECT pg_advisory_unlock(hashtext('mcs rebuild'))
