/** For each alert, a course of things in which it fires, and others that are a day's work. */

/** Series → its values, one each interval, as promtool writes them: `start+stepxcount`. */
export type Series = Readonly<Record<string, string>>

interface Case {
  readonly fires: Series
  /** By what is different. */
  readonly quiet: Readonly<Record<string, Series>>
  /** When it is looked at. */
  readonly at: string
  readonly every?: string
}

const gate = 'job="pinwarden",instance="gate"'
const up = `up{${gate}}`
const bucket = (le: string, permission = 'pin') =>
  `pinwarden_request_duration_seconds_bucket{${gate},permission="${permission}",le="${le}"}`
const count = (permission = 'pin') =>
  `pinwarden_request_duration_seconds_count{${gate},permission="${permission}"}`
/** Of one permission: so many requests a minute, all between five and ten seconds. */
const slow = (perMinute: number, permission?: string): Series => ({
  [bucket('5', permission)]: '0x60',
  [bucket('10', permission)]: `0+${perMinute}x60`,
  [bucket('+Inf', permission)]: `0+${perMinute}x60`,
  [count(permission)]: `0+${perMinute}x60`,
})
const started = `process_start_time_seconds{${gate}}`
const expiry = `pinwarden_certificate_expiry_timestamp_seconds{${gate}}`
const keyEnd = `pinwarden_key_expiry_timestamp_seconds{${gate},encoder="alpha",key="k1"}`
const rejected = `pinwarden_journal_rejected_pins{${gate}}`
const reload = `pinwarden_config_last_reload_successful{${gate}}`
const faultOf = (reason: string) => `pinwarden_faults_total{${gate},reason="${reason}"}`
const fault = faultOf('cluster-timeout')
const fallbackFault = (reason: string) =>
  `pinwarden_fallback_faults_total{${gate},reason="${reason}"}`
const asked = `pinwarden_requests_total{${gate},encoder="alpha",permission="pin",code="2xx"}`
const pins = (result: string) => `pinwarden_pins_total{${gate},encoder="alpha",result="${result}"}`
const settled = (result: string) =>
  `pinwarden_pins_settled_total{${gate},encoder="alpha",result="${result}"}`
const endpoint = `pinwarden_endpoint_up{${gate},endpoint="127.0.0.1:9094"}`
const endpointLag = `pinwarden_endpoint_lag_seconds{${gate},endpoint="127.0.0.1:9094"}`
const store = `pinwarden_store_up{${gate}}`
const journal = `pinwarden_journal_pins{${gate}}`
const ledgerWritable = `pinwarden_ledger_writable{${gate}}`
const oldestDoubt = `pinwarden_ledger_oldest_doubt_seconds{${gate}}`
const ledgerRows = (state: string) => `pinwarden_ledger_rows{${gate},state="${state}"}`
const ledgerDisk = `pinwarden_ledger_disk_free_bytes{${gate}}`
const ledgerCopy = `pinwarden_ledger_copy{${gate}}`
const bugs = `pinwarden_bugs_total{${gate}}`
const lost = `pinwarden_log_lines_dropped_total{${gate}}`
const unauthorized = `pinwarden_auth_failures_total{${gate},reason="key-unknown"}`
const refused = (reason: string) =>
  `pinwarden_refusals_total{${gate},reason="${reason}",encoder=""}`
const lag = `nodejs_eventloop_lag_p99_seconds{${gate}}`
const memory = `process_resident_memory_bytes{${gate}}`
const open = `process_open_fds{${gate}}`
const openMax = `process_max_fds{${gate}}`

const daySeconds = 86_400
/** A certificate of 160 hours, each 80 hours a new one, as certbot does; hourly values. */
const shortLived = [160, 240, 320, 400].map((hours) => `${hours * 3600}x79`).join(' ')

export const cases: Readonly<Record<string, Case>> = {
  PinwardenDown: {
    at: '10m',
    fires: { [up]: '1x5 0x10' },
    quiet: {
      'one missed scrape': { [up]: '1x8 0 1x5' },
      'another job': { 'up{job="kubo",instance="kubo"}': '0x20' },
    },
  },
  PinwardenAbsent: { at: '20m', fires: {}, quiet: { 'scraped, though in vain': { [up]: '0x30' } } },
  PinwardenRestarting: {
    at: '15m',
    fires: { [started]: '1 1 2 2 2 3 3 3 4x10' },
    quiet: { 'an upgrade': { [started]: '1x5 2x15' } },
  },
  PinwardenCertificateExpiresSoon: {
    at: '168h',
    every: '1h',
    fires: { [expiry]: `${20 * daySeconds}x200` },
    quiet: {
      'three weeks left': { [expiry]: `${28 * daySeconds}x200` },
      'renewed since': { [expiry]: `${10 * daySeconds}x140 ${70 * daySeconds}x60` },
      'one of six days': { [expiry]: shortLived },
    },
  },
  PinwardenCertificateExpires: {
    at: '168h',
    every: '1h',
    fires: { [expiry]: `${9 * daySeconds}x200` },
    quiet: {
      'a week left': { [expiry]: `${14 * daySeconds}x200` },
      'one of six days': { [expiry]: shortLived },
      'one of six days, renewed by the second try': {
        [expiry]: `${160 * 3600}x91 ${252 * 3600}x91`,
      },
    },
  },
  PinwardenKeyEndsSoon: {
    at: '4h',
    fires: { [keyEnd]: `${6 * daySeconds}x300` },
    quiet: {
      'eight days left': { [keyEnd]: `${8 * daySeconds}x300` },
      'replaced at once': { [keyEnd]: `${6 * daySeconds}x30 _x300` },
    },
  },
  PinwardenKeyEnds: {
    at: '60m',
    fires: { [keyEnd]: `${daySeconds}x100` },
    quiet: {
      'two days left': { [keyEnd]: `${2 * daySeconds}x100` },
      'over, which the other alert says': { [keyEnd]: '60x100' },
    },
  },
  PinwardenQueueRejected: {
    at: '20m',
    fires: { [rejected]: '0x5 2x30' },
    quiet: { none: { [rejected]: '0x30' }, 'dropped at once': { [rejected]: '0x12 2x2 0x20' } },
  },
  PinwardenReloadRefused: {
    at: '20m',
    fires: { [reload]: '1x5 0x20' },
    quiet: { 'put right at once': { [reload]: '1x15 0x2 1x20' } },
  },
  PinwardenClusterFaults: {
    at: '30m',
    fires: { [fault]: '0+20x40', [asked]: '0+80x40' },
    quiet: {
      'one in a hundred': { [fault]: '0+1x40', [asked]: '0+99x40' },
      'two requests in all': { [fault]: '0x27 1 2x20', [asked]: '0x27 1 2x20' },
      'late locks': { [faultOf('lock-timeout')]: '0+20x40', [asked]: '0+80x40' },
      'a store that fails': { [faultOf('store-timeout')]: '0+20x40', [asked]: '0+80x40' },
    },
  },
  PinwardenClusterAway: {
    at: '60m',
    fires: { [fault]: '1x35 2x10 3x10 4x20', [asked]: '500x80' },
    quiet: {
      'answered in between': { [fault]: '1x35 2x10 3x10 4x20', [asked]: '500x50 501x30' },
      'nothing asked': { [fault]: '4x80', [asked]: '500x80' },
      'late locks only': { [faultOf('lock-timeout')]: '0+1x80', [asked]: '500x80' },
    },
  },
  PinwardenPinsFail: {
    at: '60m',
    fires: { [pins('failed')]: '0+1x70', [pins('ok')]: '0+2x70' },
    quiet: {
      'one in ten': { [pins('failed')]: '0+1x70', [pins('ok')]: '0+9x70' },
      'refused by the gate': { [pins('refused')]: '0+5x70', [pins('failed')]: '0x70' },
      'one alone': { [pins('failed')]: '0x40 1x30', [pins('ok')]: '0x70' },
    },
  },
  PinwardenPinsUnsettled: {
    at: '3h',
    fires: { [settled('failed')]: '0+1x200', [settled('pinned')]: '0+2x200' },
    quiet: {
      'one in ten': { [settled('failed')]: '0+1x200', [settled('pinned')]: '0+9x200' },
      'two in all': { [settled('failed')]: '0x150 1 2x60', [settled('pinned')]: '0x200' },
    },
  },
  PinwardenEndpointDown: {
    at: '30m',
    fires: { [endpoint]: '1x5 0x40' },
    quiet: { 'a restart of the cluster': { [endpoint]: '1x20 0x3 1x20' } },
  },
  PinwardenEndpointLags: {
    at: '40m',
    fires: { [endpointLag]: '0x5 60+60x40' },
    quiet: { 'minutes after a crash': { [endpointLag]: '0x20 30+60x9 0x20' } },
  },
  PinwardenStoreAway: {
    at: '20m',
    fires: { [store]: '1x5 0x30' },
    quiet: {
      'a restart of the store': { [store]: '1x10 0x3 1x20' },
      'now and then': { [store]: '0 0 0 1 0 0 0 1 0 0 0 1x20' },
    },
  },
  PinwardenStoreFaults: {
    at: '40m',
    fires: { [faultOf('store-refused')]: '0x10 10x40' },
    quiet: {
      'two requests': { [faultOf('store-timeout')]: '0x10 2x40' },
      'faults of the cluster': { [fault]: '0+20x60' },
    },
  },
  PinwardenLocksLate: {
    at: '40m',
    fires: { [faultOf('lock-timeout')]: '0x10 10x40' },
    quiet: {
      'two requests': { [faultOf('lock-timeout')]: '0x10 2x40' },
      'faults of the cluster': { [fault]: '0+20x60' },
    },
  },
  PinwardenFallbackFails: {
    at: '40m',
    fires: { [fallbackFault('fallback-hung-up')]: '0x10 10x40' },
    quiet: {
      'pins that no peer offers': { [fallbackFault('fallback-stalled')]: '0+5x60' },
      'two pins': { [fallbackFault('fallback-timeout')]: '0x10 2x40' },
    },
  },
  PinwardenJournalWaits: {
    at: '60m',
    fires: { [journal]: '0x10 5x60' },
    quiet: {
      'an outage of ten minutes': { [journal]: '0x40 100x10 0x20' },
      'seen for ten minutes only': { [journal]: '_x50 5x20' },
      'always new ones, and always made': { [journal]: '5 0 5 0 5 0 5x3 0 5x20 0 5x20 0 5x20' },
    },
  },
  PinwardenLedgerNotWritable: {
    at: '20m',
    fires: { [ledgerWritable]: '1x5 0x30' },
    quiet: {
      'seen for two minutes only': { [ledgerWritable]: '_x18 0x20' },
      'a full disk for two minutes': { [ledgerWritable]: '1x16 0x2 1x20' },
      'now and then': { [ledgerWritable]: '0 1 0 1x20' },
    },
  },
  PinwardenLedgerDoubts: {
    at: '80m',
    fires: { [oldestDoubt]: '0x10 0+60x80' },
    quiet: {
      'doubts that end': { [oldestDoubt]: '0+60x15 0+60x15 0+60x15 0+60x40' },
      none: { [oldestDoubt]: '0x90' },
    },
  },
  PinwardenLedgerReports: {
    at: '20m',
    fires: { [ledgerRows('reported')]: '0x5 3x30' },
    quiet: {
      none: { [ledgerRows('reported')]: '0x30', [ledgerRows('owed')]: '100x30' },
      'seen at once': { [ledgerRows('reported')]: '0x15 3x2 0x20' },
    },
  },
  PinwardenLedgerCopy: {
    at: '20m',
    fires: { [ledgerCopy]: '0x5 1x30' },
    quiet: { 'trusted at once': { [ledgerCopy]: '0x15 1x3 0x20' } },
  },
  PinwardenLedgerDiskLow: {
    at: '30m',
    fires: { [ledgerDisk]: '1000000000x10 200000000x30' },
    quiet: {
      room: { [ledgerDisk]: '1000000000x40' },
      'a large file for a moment': { [ledgerDisk]: '1000000000x25 1000x3 1000000000x20' },
    },
  },
  PinwardenBug: {
    at: '10m',
    fires: { [bugs]: '0x5 1x20' },
    quiet: { none: { [bugs]: '0x20' }, 'a restart after one': { [bugs]: '3x5 0x20' } },
  },
  PinwardenLogLinesLost: {
    at: '10m',
    fires: { [lost]: '0x5 40x20' },
    quiet: { none: { [lost]: '0x20' } },
  },
  PinwardenAuthFailures: {
    at: '30m',
    fires: { [unauthorized]: '0+200x40', [refused('too-many-failures')]: '0+200x40' },
    quiet: {
      'strangers, but few': { [up]: '1x40', [unauthorized]: '0+200x40' },
      'an encoder with a typo': { [up]: '1x40', [unauthorized]: '0+20x40' },
      'unknown paths': { [up]: '1x40', [refused('unknown-route')]: '0+900x40' },
    },
  },
  PinwardenSlow: {
    at: '40m',
    fires: slow(30),
    quiet: {
      'listings, which last': slow(30, 'list'),
      'two requests': slow(0.1),
      'one in a thousand': {
        [bucket('5')]: '0+999x60',
        [bucket('10')]: '0+1000x60',
        [bucket('+Inf')]: '0+1000x60',
        [count()]: '0+1000x60',
      },
    },
  },
  PinwardenEventLoopLags: {
    at: '30m',
    fires: { [lag]: '0.4x40' },
    quiet: {
      'a moment': { [lag]: '0.02x25 0.9 0.02x20' },
      'another program': { 'nodejs_eventloop_lag_p99_seconds{job="other"}': '2x40' },
    },
  },
  PinwardenMemoryNearLimit: {
    at: '30m',
    fires: { [memory]: '900000000x40' },
    quiet: { 'a usual day': { [memory]: '160000000x40' } },
  },
  PinwardenDescriptorsNearLimit: {
    at: '30m',
    fires: { [open]: '60000x40', [openMax]: '65536x40' },
    quiet: { 'a usual day': { [open]: '300x40', [openMax]: '65536x40' } },
  },
}
