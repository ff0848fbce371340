/** The plots of the last hour. */
import uPlot from 'uplot'
import type { ActivityReport, Series } from '../activity-report.js'
import { byId, setText } from './element.js'
import { countText, tookText } from './words.js'

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
  ) {
    new ResizeObserver(() => this.drawn?.setSize(this.size())).observe(place)
  }

  show(seconds: readonly number[], values: readonly Values[]): void {
    const data = [seconds, ...values] as unknown as uPlot.AlignedData
    if (this.drawn === undefined) this.drawn = new uPlot(this.options(), data, this.place)
    else this.drawn.setData(data)
  }

  /** With the colours that are now those of the page. */
  drawAnew(): void {
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
    // Logarithmic scales have lines that get no words.
    const tick = (value: number | null) =>
      value === null ? '' : value === 0 ? '0' : valueText(value)
    return {
      ...this.size(),
      scales: { x: {}, y: this.scale },
      axes: [
        { ...axis, values: '{HH}:{mm}', space: 60 },
        { ...axis, values: (_plot, splits) => splits.map(tick), size: 62 },
      ],
      series: [
        { label: 'Time', value: '{HH}:{mm}:{ss}' },
        ...this.lines.map((line) => ({
          label: line.label,
          stroke: color(line.color),
          width: 1.5,
          points: { show: false },
          ...(line.isFilled === true && { fill: color(`${line.color}-soft`) }),
          value: (_plot: uPlot, value: number | null) => text(value),
        })),
      ],
    }
  }
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
    { label: 'half within', color: '--blue' },
    { label: '99 % within', color: '--violet' },
  ],
  tookText,
  {
    // A const enum of declarations only: a bundler knows no name for it.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    distr: 3,
    range: (_plot, least, most) => [(least || 1) / 2, (most || 100) * 2],
  },
)

/** The last step is not over: it is left out, rather than looking like a fall. */
export function showPlots({ series }: ActivityReport): void {
  const { stepMs, from } = series
  const whole = <T>(values: readonly T[]) => values.slice(0, -1)
  const rates = (counts: readonly number[]) => whole(counts).map((count) => (count * 1000) / stepMs)
  const seconds = whole(series.requests).map((_, index) => (from + index * stepMs) / 1000)
  requests.show(seconds, [rates(series.requests), rates(series.refused), rates(series.failed)])
  latency.show(seconds, [whole(series.p50), whole(series.p99)])
  setText('requests-words', requestsWords(series, rates(series.requests)))
  setText('latency-words', latencyWords(series))
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)

const requestsWords = (series: Series, rates: readonly number[]): string =>
  `Requests: ${rateText(rates.at(-1) ?? 0)} now, ${rateText(Math.max(...rates))} at most; ` +
  `${countText(total(series.requests))} in the last hour, ` +
  `${countText(total(series.refused))} refused, ${countText(total(series.failed))} failed.`

function latencyWords({ p50, p99 }: Series): string {
  const last = p50.findLastIndex((value) => value !== null)
  if (last < 0) return 'Time to the end of an answer: none in the last hour.'
  const slowest = Math.max(...p99.map((value) => value ?? 0))
  return (
    `Time to the end of an answer, listings left out: last half within ` +
    `${tookText(p50[last] ?? null)}, 99 % within ${tookText(p99[last] ?? null)}; ` +
    `worst ten seconds: 99 % within ${tookText(slowest)}.`
  )
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  requests.drawAnew()
  latency.drawAnew()
})
