-- Calls table
-- A row is a call: what the client asked for, its plan, and how far it has advanced. `entered_at[n]` is the time
-- of its n-th state, so history needs no second table.
-- The table of the original Node.js service becomes ours, with its rows. It has the specification's columns, and times
-- without a zone, which we read in the database's zone. This migration ends its open calls, which no worker would. That
-- service stored no history and no plan, so only the first and the last state have a time. The upload of a call without
-- a recording counts as failed permanently: `mcs failed` lists it.
DO $$
BEGIN
  IF to_regclass('calls') IS NULL OR EXISTS (
    SELECT FROM pg_attribute
     WHERE attrelid = to_regclass('calls') AND attname = 'upload_job' AND NOT attisdropped
  ) THEN
    RETURN;
  END IF;
  ALTER TABLE calls
    ALTER id DROP DEFAULT, ALTER status DROP DEFAULT, ALTER metadata SET DEFAULT '{}',
    ALTER created_at DROP DEFAULT, ALTER created_at TYPE TIMESTAMPTZ(3),
    ALTER updated_at DROP DEFAULT, ALTER updated_at TYPE TIMESTAMPTZ(3),
    ADD seq INTEGER NOT NULL DEFAULT 1,
    ADD entered_at TIMESTAMPTZ[],
    ADD outcome VARCHAR(20),
    ADD stage_ms INTEGER[],
    ADD upload_failures INTEGER NOT NULL DEFAULT 0,
    ADD upload_status VARCHAR(20) NOT NULL DEFAULT 'WAITING',
    ADD upload_attempts INTEGER NOT NULL DEFAULT 0,
    ADD upload_job BIGINT,
    ADD upload_retry_at TIMESTAMPTZ(3);
  UPDATE calls
     SET created_at = coalesce(created_at, updated_at, now()),
         updated_at = CASE WHEN status = 'COMPLETED' THEN coalesce(greatest(updated_at, created_at), now())
                           ELSE greatest(now(), created_at) END,
         status = 'COMPLETED',
         outcome = CASE status WHEN 'UNANSWERED' THEN 'UNANSWERED' ELSE 'ANSWERED' END,
         metadata = coalesce(metadata, '{}'),
         from_number = coalesce(from_number, ''), to_number = coalesce(to_number, ''),
         api_key = coalesce(api_key, ''),
         seq = 5,
         stage_ms = '{0,0,0,2500}',
         upload_status = CASE WHEN recording_url IS NULL THEN 'FAILED' ELSE 'COMPLETED' END;
  UPDATE calls SET entered_at = ARRAY[created_at, created_at, created_at, updated_at];
  ALTER TABLE calls
    ALTER from_number SET NOT NULL, ALTER to_number SET NOT NULL, ALTER status SET NOT NULL,
    ALTER metadata SET NOT NULL, ALTER api_key SET NOT NULL, ALTER created_at SET NOT NULL,
    ALTER updated_at SET NOT NULL, ALTER entered_at SET NOT NULL, ALTER outcome SET NOT NULL,
    ALTER stage_ms SET NOT NULL;
END
$$;

CREATE TABLE IF NOT EXISTS calls (
  id              UUID PRIMARY KEY,
  from_number     VARCHAR(20)    NOT NULL,
  to_number       VARCHAR(20)    NOT NULL,
  status          VARCHAR(20)    NOT NULL,
  metadata        JSONB          NOT NULL DEFAULT '{}',
  recording_url   TEXT,
  api_key         VARCHAR(100)   NOT NULL,
  created_at      TIMESTAMPTZ(3) NOT NULL,
  updated_at      TIMESTAMPTZ(3) NOT NULL,
  -- the number of visible changes: 1 in the first state
  seq             INTEGER        NOT NULL DEFAULT 1,
  entered_at      TIMESTAMPTZ[]  NOT NULL,
  -- the plan: drawn once, at creation
  outcome         VARCHAR(20)    NOT NULL,
  stage_ms        INTEGER[]      NOT NULL,
  upload_failures INTEGER        NOT NULL DEFAULT 0,
  -- the recording's upload: WAITING (for the call to end), PENDING, COMPLETED, FAILED
  upload_status   VARCHAR(20)    NOT NULL DEFAULT 'WAITING',
  upload_attempts INTEGER        NOT NULL DEFAULT 0,
  upload_job      BIGINT,
  upload_retry_at TIMESTAMPTZ(3)
);

CREATE SEQUENCE IF NOT EXISTS upload_jobs OWNED BY calls.upload_job;
