-- Says by a shared lock of this session that a Redis holds the ready live state of this database, or that this
-- session knows of none any more; and tells of another session that says so of another Redis.
--   $1 run id of the Redis  $2 whether it is ready (bool)
-- One row: that session (text), NULL: there is none. One that has asked nothing for 10 s does not count: it may
-- be a worker that was stopped.
WITH key AS (
  SELECT hashtext('mcs redis') & 2147483647 AS class, hashtext($1) & 2147483647 AS redis
), said AS MATERIALIZED (
  SELECT l.pid, l.objid::bigint::integer AS redis
    FROM pg_locks l, key
   WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = key.class
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
), taken_back AS MATERIALIZED (
  SELECT pg_advisory_unlock_shared(key.class, said.redis)
    FROM said, key
   WHERE said.pid = pg_backend_pid() AND (said.redis <> key.redis OR NOT $2::boolean)
), taken AS MATERIALIZED (
  SELECT pg_advisory_lock_shared(key.class, key.redis)
    FROM key
   WHERE $2::boolean
     AND NOT EXISTS (SELECT FROM said WHERE said.pid = pg_backend_pid() AND said.redis = key.redis)
)
SELECT (SELECT min(format('process %s of PostgreSQL, %s', said.pid, coalesce(host(a.client_addr), 'by a unix socket')))
          FROM said CROSS JOIN key LEFT JOIN pg_stat_activity a ON a.pid = said.pid
         WHERE said.pid <> pg_backend_pid() AND said.redis <> key.redis
           AND coalesce(a.state_change, now()) > clock_timestamp() - interval '10 s'),
       (SELECT count(*) FROM taken_back), (SELECT count(*) FROM taken),
       (SELECT coalesce(max(version), 0) FROM migrations) AS schema
