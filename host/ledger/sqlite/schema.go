package sqlite

// migrations lead from each version of the schema to the next; the first makes
// it. The version is PRAGMA user_version. They are only ever added to.
//
// Times are microseconds since 1970, durations nanoseconds, statuses the numbers
// of status.go. What is not set is NULL. PostgreSQL is to have the same tables.
var migrations = []string{`
CREATE TABLE jobs (
  id BLOB NOT NULL PRIMARY KEY,
  fn TEXT NOT NULL,
  origin TEXT,
  status INTEGER NOT NULL,
  reason TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  interrupts INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  token INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  expires_at INTEGER,
  idempotency_key TEXT,
  unique_key TEXT,
  replay_of BLOB,
  parent BLOB,
  depth INTEGER NOT NULL DEFAULT 0,
  on_success TEXT,
  on_failure TEXT,
  request_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_waiting ON jobs (fn, run_at, id) WHERE status <= 3;
CREATE INDEX jobs_listed ON jobs (fn, status, id);
CREATE INDEX jobs_ended ON jobs (status, finished_at, id, fn) WHERE status >= 5;

CREATE TABLE requests (
  job BLOB NOT NULL PRIMARY KEY,
  sum INTEGER NOT NULL, -- CRC-32C of head and body
  head BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  job BLOB NOT NULL,
  token INTEGER NOT NULL,
  n INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  result TEXT NOT NULL,
  error TEXT NOT NULL,
  run_time INTEGER NOT NULL,
  fuel INTEGER NOT NULL,
  log BLOB NOT NULL,
  PRIMARY KEY (job, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
  kind INTEGER NOT NULL,
  fn TEXT NOT NULL,
  value TEXT NOT NULL,
  job BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (kind, fn, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_expiring ON keys (expires_at);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job BLOB NOT NULL,
  status INTEGER NOT NULL,
  target TEXT NOT NULL,
  at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  response BLOB
) STRICT;

CREATE TABLE paused (
  fn TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- How many jobs of a function have a status, and what their requests take. The
-- function "", which no job has, holds the totals of status.go.
CREATE TABLE counters (
  fn TEXT NOT NULL,
  status INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (fn, status)
) STRICT, WITHOUT ROWID;
`}
