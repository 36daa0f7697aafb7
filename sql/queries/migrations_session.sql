-- Sets, until the transaction ends, what migrations rely on: an index on a large table takes its time.
SELECT set_config('lock_timeout', '60s', true), set_config('statement_timeout', '0', true),
       set_config('client_min_messages', 'warning', true)
