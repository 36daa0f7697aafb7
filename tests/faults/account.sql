-- Holds what the clients of tests/harness/load/traffic.c noted against the record: a line a promise,
-- "violations|promise|detail". Temporary tables posts, gets, reads, shakes, watches and marks hold the log.
--   :late  how many ms later than its plan says a call may move on   :slowest  ms that an answer may take
--   :cps, :concurrent  the limits   :wall  1 when the wall clock was not tampered with
--   :also  statuses that requests under way at a mark (a kill) may get, as {…}  :in_hand  how many of them
CREATE TEMP TABLE mine AS
  SELECT * FROM calls WHERE api_key IN (SELECT key FROM posts);

SELECT count(*), 'every 201 has its row', string_agg(p.id, ' ')
  FROM posts p WHERE status = 201 AND NOT EXISTS (SELECT FROM calls c WHERE c.id = p.id::uuid);

-- A refused request stored no call: beyond those created there are at most those in doubt.
SELECT count(*), 'no call exists that nobody was told of', string_agg(format('%s: %s rows, %s created, %s in doubt',
         api_key, rows, created, doubtful), ', ')
  FROM (SELECT api_key, count(*) AS rows FROM mine GROUP BY 1) AS r
  JOIN (SELECT key, count(*) FILTER (WHERE status = 201) AS created,
               count(*) FILTER (WHERE id = '?' OR status NOT IN (201, 429, 503)) AS doubtful
          FROM posts GROUP BY 1) AS p ON p.key = r.api_key
 WHERE rows > created + doubtful;

SELECT count(*), 'every row reached COMPLETED through legal states, each once',
       string_agg(id::text || ' ' || status || ' ' || seq, ', ')
  FROM calls
 WHERE status <> 'COMPLETED' OR seq <> 5 OR cardinality(entered_at) <> 4
    OR outcome NOT IN ('ANSWERED', 'UNANSWERED') OR entered_at[1] <> created_at
    OR NOT (entered_at[1] <= entered_at[2] AND entered_at[2] <= entered_at[3]
            AND entered_at[3] <= entered_at[4] AND entered_at[4] <= updated_at);

-- Of a clock that was tampered with only the states over which it went an hour forward say anything.
SELECT count(*), 'every state lasted as long as the call''s script says',
       string_agg(id::text || ' ' || entered_at::text || ' ' || duration_ms::text, ', ')
  FROM mine, generate_series(1, 3) AS n,
       LATERAL (SELECT entered_at[n + 1] - entered_at[n] AS lasted, duration_ms[n] AS min_ms) AS l
 WHERE (:wall = 1 AND lasted < min_ms * interval '1 ms')
    OR (:wall = 0 AND lasted > interval '30 minutes' AND lasted - interval '1 hour' < min_ms * interval '1 ms');

SELECT count(*) FILTER (WHERE late > :late), 'every call moved on in time',
       format('at most %s ms late, %s were allowed', greatest(0, max(late))::int, :late)
  FROM mine, LATERAL (SELECT greatest(extract(epoch FROM entered_at[2] - entered_at[1]) * 1000 - duration_ms[1],
                                      extract(epoch FROM entered_at[3] - entered_at[2]) * 1000 - duration_ms[2],
                                      extract(epoch FROM entered_at[4] - entered_at[3]) * 1000 - duration_ms[3]) AS late) AS l
 WHERE :wall = 1;

SELECT count(*), 'every row has its recording or stands in the failed list', string_agg(id::text, ' ')
  FROM calls
 WHERE NOT (upload_status = 'COMPLETED' AND recording_url LIKE 'https://%' || id || '.mp3')
   AND NOT (upload_status = 'FAILED' AND upload_attempts >= 3 AND recording_url IS NULL);

-- Times are whole milliseconds, rounded down: n + 1 admissions a second apart or more stay so.
SELECT count(*), 'no second admitted more than the limit (rows)', string_agg(api_key || ' ' || created_at, ', ')
  FROM (SELECT api_key, created_at, created_at - lag(created_at, :cps)
                 OVER (PARTITION BY api_key ORDER BY created_at) AS gap FROM mine) AS t
 WHERE gap < interval '1 s' AND :wall = 1;

-- What the clients' own clock can say for certain: sent and answered within a second.
SELECT count(*), 'no second admitted more than the limit (clients)', string_agg(key || ' ' || ended, ', ')
  FROM (SELECT key, began + took AS ended, count(*) OVER w AS n,
               max(began + took) OVER w - min(began) OVER w AS span
          FROM posts WHERE status = 201
        WINDOW w AS (PARTITION BY key ORDER BY began + took ROWS :cps PRECEDING)) AS t
 WHERE n > :cps AND span < 1000;

SELECT count(*), 'no key had more live calls than the limit (rows)', string_agg(api_key || ' ' || at || ' ' || live, ', ')
  FROM (SELECT api_key, at, sum(step) OVER (PARTITION BY api_key ORDER BY at, step) AS live
          FROM (SELECT api_key, entered_at[1] AS at, 1 AS step FROM mine
                UNION ALL SELECT api_key, entered_at[4], -1 FROM mine) AS steps) AS t
 WHERE live > :concurrent AND :wall = 1;

-- From its answer on, and for as long as the script says since it was asked for, it lived for certain.
SELECT count(*), 'no key had more live calls than the limit (clients)', string_agg(key || ' ' || at || ' ' || live, ', ')
  FROM (SELECT key, at, sum(step) OVER (PARTITION BY key ORDER BY at, step) AS live
          FROM (SELECT p.key, e.at, e.step
                  FROM posts p JOIN mine c ON p.status = 201 AND c.id = p.id::uuid,
                       LATERAL (SELECT p.began + c.duration_ms[1] + c.duration_ms[2] + c.duration_ms[3] - 5 AS ended) AS l,
                       LATERAL (VALUES (p.began + p.took, 1), (l.ended, -1)) AS e (at, step)
                 WHERE l.ended > p.began + p.took) AS steps) AS t
 WHERE live > :concurrent;

SELECT (m.total <> c.total OR m.active <> c.active OR m.completed <> c.completed
        OR m.uploading <> c.uploading OR m.uploaded <> c.uploaded OR m.failed <> c.failed)::int,
       'the metrics equal a recount', format('metrics %s rows %s', m, c)
  FROM (SELECT sum(total_calls) AS total, sum(active_calls) AS active, sum(completed_calls) AS completed,
               sum(uploads_in_progress) AS uploading, sum(uploads_completed) AS uploaded,
               sum(uploads_failed) AS failed FROM metrics) AS m,
       (SELECT count(*) AS total, count(*) FILTER (WHERE status <> 'COMPLETED') AS active,
               count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
               count(*) FILTER (WHERE upload_status = 'PENDING') AS uploading,
               count(*) FILTER (WHERE upload_status = 'COMPLETED') AS uploaded,
               count(*) FILTER (WHERE upload_status = 'FAILED') AS failed FROM calls) AS c;

SELECT count(*), 'every subscriber saw each state once and in order',
       string_agg(verdict || ' ' || id || ' ' || events || ' cuts ' || cuts, ', ')
  FROM watches WHERE verdict <> 'ok';

SELECT count(*), 'a client that asked twice never got an older state',
       string_agg(format('%s: %s at %s, then %s at %s', a.id, a.state, a.began, b.state, b.began), ', ')
  FROM gets a JOIN gets b ON a.id = b.id AND b.began > a.began + a.took
  JOIN (VALUES ('QUEUED', 1), ('RINGING', 2), ('ANSWERED', 3), ('UNANSWERED', 3), ('COMPLETED', 4))
       AS x (state, rank) ON x.state = a.state
  JOIN (VALUES ('QUEUED', 1), ('RINGING', 2), ('ANSWERED', 3), ('UNANSWERED', 3), ('COMPLETED', 4))
       AS y (state, rank) ON y.state = b.state
 WHERE y.rank < x.rank;

SELECT count(*) FILTER (WHERE NOT excused OR number > :in_hand),
       'every request was answered with 2xx, 429 or 503, but for those under way at a kill',
       string_agg(what || ' at ' || began || ': ' || status || ' after ' || took, ', ')
         FILTER (WHERE NOT excused OR number > :in_hand)
  FROM (SELECT *, row_number() OVER (PARTITION BY excused) AS number
          FROM (SELECT *, status = ANY (:'also'::int[]) AND EXISTS
                         (SELECT FROM marks WHERE began <= at AND began + took >= at - 100) AS excused
                  FROM answers WHERE status NOT IN (101, 200, 201, 429, 503)) AS t) AS t;

SELECT count(*), format('every answer came within %s ms', :slowest), string_agg(what || ' at ' || began || ' took ' || took, ', ')
  FROM answers WHERE took > :slowest;

-- Else nothing was under load.
SELECT (count(*) < 50 OR count(DISTINCT key) < 5)::int, '50 calls were created, on 5 keys',
       format('%s on %s', count(*), count(DISTINCT key))
  FROM posts WHERE status = 201;
