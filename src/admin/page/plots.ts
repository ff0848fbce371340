/** The plots of the last hour. */
import uPlot from 'uplot'
import type { ActivityReport, Series } from '../activity-report.js'
import { byId, setText } from './element.js'
import { countText, tookText, zoneText } from './words.js'

type Values = readonly (number | null)[]

interface Line {
  readonly label: string
  /** Name of a custom property of the style sheet. */
  readonly color: string
  readonly isFilled?: boolean
}

class Plot {
  private drawn: uPlot | undefined

  constructor(
    private readonly place: HTMLElement,
    private readonly lines: readonly Line[],
    private readonly valueText: (value: number) => string,
    private readonly scale: uPlot.Scale,
    private readonly axis: uPlot.Axis = {},
  ) {
    new ResizeObserver(() => this.drawn?.setSize(this.size())).observe(place)
  }

  show(seconds: readonly number[], values: readonly Values[]): void {
    const data = [seconds, ...values] as unknown as uPlot.AlignedData
    if (this.drawn === undefined) this.drawn = new uPlot(this.options(), data, this.place)
    else this.drawn.setData(data)
  }

  /** Uses the colours of the page's current theme. */
  redraw(): void {
    this.drawn?.destroy()
    this.drawn = undefined
  }

  private size() {
    return { width: Math.max(200, this.place.clientWidth), height: 180 }
  }

  private options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement)
    const color = (name: string) => style.getPropertyValue(name).trim()
    const [stroke, grid] = [color('--quiet'), { stroke: color('--line'), width: 1 }]
    const axis = { stroke, grid, ticks: grid, font: '12px system-ui, sans-serif' }
    const { valueText } = this
    const text = (value: number | null) => (value === null ? '–' : valueText(value))
    const tick = (value: number) => (value === 0 ? '0' : valueText(value).replace('.0', ''))
    return {
      ...this.size(),
      scales: { x: {}, y: this.scale },
      axes: [
        { ...axis, values: '{HH}:{mm}', space: 60 },
        { ...axis, values: (_plot, splits) => splits.map(tick), size: 62, ...this.axis },
      ],
      series: [
        { label: 'Time', value: '{HH}:{mm}:{ss}' },
        ...this.lines.map((line) => ({
          label: line.label,
          stroke: color(line.color),
          width: 1.5,
          points: { show: true, size: 4, filter: alone },
          ...(line.isFilled === true && { fill: color(`${line.color}-soft`) }),
          value: (_plot: uPlot, value: number | null) => text(value),
        })),
      ],
    }
  }
}

/** A value between two gaps cannot be drawn as a line: it gets a point. */
const alone: uPlot.Series.Points.Filter = (plot, series) => {
  const values = plot.data[series] ?? []
  return [...values.keys()].filter(
    (index) =>
      typeof values[index] === 'number' &&
      typeof values[index - 1] !== 'number' &&
      typeof values[index + 1] !== 'number',
  )
}

const rateText = (rate: number): string =>
  `${rate < 10 ? rate.toFixed(1) : countText(Math.round(rate))}/s`

const requests = new Plot(
  byId('requests-plot'),
  [
    { label: 'requests', color: '--blue', isFilled: true },
    { label: 'refused', color: '--amber' },
    { label: 'failed', color: '--red' },
  ],
  rateText,
  { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] },
)

const latency = new Plot(
  byId('latency-plot'),
  [
    { label: 'median', color: '--blue' },
    { label: '99th percentile', color: '--violet' },
  ],
  tookText,
  {
    // A const enum of declarations only: a bundler knows no name for it.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    distr: 3,
    range: (_plot, least, most) => [(least || 1) / 2, (most || 100) * 2],
  },
  {
    splits: (_plot, _axis, least, most) => readable(least, most),
    // By default the library leaves most ticks without labels.
    filter: (_plot, splits) => splits,
  },
)

/** On a logarithmic axis: 1, 10, 100, and if these are few, also 3, 30, 300. */
function readable(least: number, most: number): number[] {
  const decades = Math.log10(most / least)
  const steps = decades > 3 ? [1] : [1, 3]
  const first = Math.floor(Math.log10(least))
  return Array.from({ length: Math.ceil(decades) + 2 }, (_, index) => first + index)
    .flatMap((power) => steps.map((step) => step * 10 ** power))
    .filter((value) => value >= least && value <= most)
}

/**
 * The last step is still incomplete and would look like a fall, so it is left out. The time before
 * the daemon's start is a gap, and so is the time since its last answer.
 */
export function showPlots({ series }: ActivityReport, now: number): void {
  const { stepMs, from } = series
  const gap = Array.from<null>({
    length: Math.max(0, Math.floor((now - from) / stepMs) + 1 - series.requests.length),
  }).fill(null)
  const steps = (values: Values): Values => [...values.slice(0, -1), ...gap].slice(gap.length)
  const rates = (counts: Values) =>
    steps(counts).map((count) => (count === null ? null : (count * 1000) / stepMs))
  const seconds = steps(series.requests).map(
    (_, index) => (from + (index + gap.length) * stepMs) / 1000,
  )
  requests.show(seconds, [rates(series.requests), rates(series.refused), rates(series.failed)])
  latency.show(seconds, [steps(series.p50), steps(series.p99)])
  setText('requests-words', requestsWords(series, rates(series.requests)))
  setText('latency-words', latencyWords(series))
  setText('zone', `by your clock, ${zoneText(now)}`)
}

const total = (counts: Values): number =>
  counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)

function requestsWords(series: Series, rates: Values): string {
  const known = rates.filter((rate) => rate !== null)
  const now = known.at(-1)
  const rate =
    now === undefined ? '' : `${rateText(now)} now, ${rateText(Math.max(...known))} at most; `
  return (
    `Requests: ${rate}${countText(total(series.requests))} in the last hour, ` +
    `${countText(total(series.refused))} refused, ${countText(total(series.failed))} failed.`
  )
}

function latencyWords({ p50, p99 }: Series): string {
  const last = p50.findLastIndex((value) => value !== null)
  if (last < 0) return 'Response time: no requests in the last hour.'
  const slowest = Math.max(...p99.map((value) => value ?? 0))
  return (
    `Response time without listings: latest median ${tookText(p50[last] ?? null)}, ` +
    `99th percentile ${tookText(p99[last] ?? null)}; ` +
    `99th percentile of the worst ten seconds ${tookText(slowest)}.`
  )
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  requests.redraw()
  latency.redraw()
})
