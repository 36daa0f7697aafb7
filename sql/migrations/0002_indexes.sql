-- Indexes
CREATE INDEX IF NOT EXISTS idx_calls_status ON calls (status);
CREATE INDEX IF NOT EXISTS idx_calls_api_key ON calls (api_key);
CREATE INDEX IF NOT EXISTS idx_calls_created_at ON calls (created_at DESC);
-- Open calls and uploads, for the rebuild of Redis: as small as the live state.
CREATE INDEX IF NOT EXISTS idx_calls_open ON calls (id)
  WHERE upload_status IN ('WAITING', 'PENDING');
-- Uploads that failed permanently, for `./mcs failed`.
CREATE INDEX IF NOT EXISTS idx_calls_upload_failed ON calls (id)
  WHERE upload_status = 'FAILED';
