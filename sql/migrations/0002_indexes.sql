-- Indexes
CREATE INDEX IF NOT EXISTS idx_calls_status ON calls (status);
CREATE INDEX IF NOT EXISTS idx_calls_api_key ON calls (api_key);
CREATE INDEX IF NOT EXISTS idx_calls_created_at ON calls (created_at DESC);
-- What is still open (a call or its upload), for the rebuild of Redis: as small as what is live.
CREATE INDEX IF NOT EXISTS idx_calls_open ON calls (id)
  WHERE upload_status IN ('WAITING', 'PENDING');
-- Uploads that were given up, for `./mcs failed`.
CREATE INDEX IF NOT EXISTS idx_calls_upload_failed ON calls (id)
  WHERE upload_status = 'FAILED';
