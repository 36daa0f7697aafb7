-- Calls table
-- A row is a call: what the client asked for, the script that was drawn for it, and how far it has
-- been played. `entered_at[n]` is when its n-th state was entered, so history needs no second table.
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
  -- how often something visible has changed: 1 in the first state
  seq             INTEGER        NOT NULL DEFAULT 1,
  entered_at      TIMESTAMPTZ[]  NOT NULL,
  -- the script: drawn once, at creation
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
