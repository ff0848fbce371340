/** Operators' queries name these: an instrument may come, but none may go or change its type. */
import t from 'tap'
import { busyGate } from '../support/busy-gate.js'

t.test('/metrics has every instrument, with its type', async (t) => {
  const text = await busyGate(t)
  for (const [name, type] of Object.entries({
    pinwarden_requests_total: 'counter',
    pinwarden_request_duration_seconds: 'histogram',
    pinwarden_upstream_duration_seconds: 'histogram',
    pinwarden_requests_in_flight: 'gauge',
    pinwarden_connections: 'gauge',
    pinwarden_connections_ended_total: 'counter',
    pinwarden_refusals_total: 'counter',
    pinwarden_would_refuse_total: 'counter',
    pinwarden_auth_failures_total: 'counter',
    pinwarden_faults_total: 'counter',
    pinwarden_aborts_total: 'counter',
    pinwarden_bugs_total: 'counter',
    pinwarden_listings_total: 'counter',
    pinwarden_listings_uncopied_total: 'counter',
    pinwarden_received_bytes_total: 'counter',
    pinwarden_sent_bytes_total: 'counter',
    pinwarden_pins_total: 'counter',
    pinwarden_unpins_total: 'counter',
    pinwarden_time_to_pinned_seconds: 'histogram',
    pinwarden_pins_settled_total: 'counter',
    pinwarden_pins_unsettled: 'gauge',
    pinwarden_pins_untracked_total: 'counter',
    pinwarden_waits_cut_total: 'counter',
    pinwarden_endpoint_up: 'gauge',
    pinwarden_endpoint_lag_seconds: 'gauge',
    pinwarden_endpoint_requests_in_flight: 'gauge',
    pinwarden_endpoint_answers_total: 'counter',
    pinwarden_endpoint_answer_seconds_total: 'counter',
    pinwarden_endpoint_faults_total: 'counter',
    pinwarden_journal_pins: 'gauge',
    pinwarden_journal_pins_total: 'counter',
    pinwarden_journal_rejected_pins: 'gauge',
    pinwarden_ledger_rows: 'gauge',
    pinwarden_ledger_doubts: 'gauge',
    pinwarden_ledger_oldest_doubt_seconds: 'gauge',
    pinwarden_ledger_verifying: 'gauge',
    pinwarden_ledger_repairs_total: 'counter',
    pinwarden_ledger_reports_total: 'counter',
    pinwarden_ledger_writable: 'gauge',
    pinwarden_ledger_bytes: 'gauge',
    pinwarden_ledger_disk_free_bytes: 'gauge',
    pinwarden_ledger_commits_total: 'counter',
    pinwarden_ledger_commit_seconds_total: 'counter',
    pinwarden_fallback_up: 'gauge',
    pinwarden_fallback_pins: 'gauge',
    pinwarden_fallback_pins_total: 'counter',
    pinwarden_fallback_faults_total: 'counter',
    pinwarden_store_up: 'gauge',
    pinwarden_store_faults_total: 'counter',
    pinwarden_log_lines_dropped_total: 'counter',
    pinwarden_log_waiting_bytes: 'gauge',
    pinwarden_config_last_reload_successful: 'gauge',
    pinwarden_config_last_reload_success_timestamp_seconds: 'gauge',
    pinwarden_certificate_expiry_timestamp_seconds: 'gauge',
    pinwarden_build_info: 'gauge',
  })) {
    t.ok(text.includes(`# TYPE ${name} ${type}\n`), name)
    const series = new RegExp(`^${name}(?:_bucket)?(?:[{].*[}])? \\d`, 'm')
    t.match(text, series, `${name} has a series`)
  }
})
