/** The tables of the ledger's file, and the step from each version to the next. */
import type { DatabaseSync } from 'node:sqlite'

/**
 * Step N turns version N into version N + 1; a released step never changes.
 *
 * `pin.due` is when a row changes by itself: one of its leases expires, or the row is over.
 */
const steps: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE pin (
    id INTEGER PRIMARY KEY,
    cid ANY NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    direct INTEGER NOT NULL,
    options TEXT,
    leases TEXT,
    former TEXT,
    expires INTEGER,
    released TEXT,
    report TEXT,
    due INTEGER
  ) STRICT;
  CREATE INDEX pin_seq ON pin (seq) WHERE seq > 0;
  CREATE INDEX pin_due ON pin (due) WHERE due IS NOT NULL;
  CREATE INDEX pin_report ON pin (report) WHERE report IS NOT NULL;
  CREATE TABLE holder (
    id INTEGER PRIMARY KEY,
    holder TEXT NOT NULL UNIQUE,
    name TEXT,
    pins INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE held (
    holder INTEGER NOT NULL,
    pin INTEGER NOT NULL,
    PRIMARY KEY (holder, pin)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE queue (
    seq INTEGER PRIMARY KEY,
    cid ANY NOT NULL,
    entry TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX queue_cid ON queue (cid);
  CREATE TABLE doubt (
    cid ANY NOT NULL,
    reason TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (cid, reason)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE outbox (seq INTEGER PRIMARY KEY, gate TEXT NOT NULL, news TEXT NOT NULL) STRICT;
  CREATE INDEX outbox_gate ON outbox (gate, seq);
  CREATE TABLE gate (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
]

export const knownVersion = steps.length

export function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version)
}

/** Runs each step in a transaction. */
export function migrate(db: DatabaseSync, migrations: readonly string[] = steps): void {
  for (let version = versionOf(db); version < migrations.length; version++) {
    db.exec('BEGIN IMMEDIATE')
    try {
      db.exec(migrations[version] ?? '')
      db.exec(`PRAGMA user_version = ${version + 1}`)
      db.exec('COMMIT')
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }
}
