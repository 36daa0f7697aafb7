-- Lets one process at a time migrate, until the transaction ends; waits for it.
SELECT pg_advisory_xact_lock(hashtext('mcs migrate'))
