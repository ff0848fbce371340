/** Leaves commands out of a run that fails, for as long as it fails in the same way. */
import type { Command } from './commands.js'
import { runEpisodes, type SimulationOptions, type WorldResult } from './simulation.js'

/** Runs that it may take. */
const triesMax = 600

export async function shorten(
  failed: WorldResult,
  options: SimulationOptions,
): Promise<WorldResult> {
  let best = failed
  let tries = 0
  const fails = async (episodes: readonly (readonly Command[])[]): Promise<boolean> => {
    if (tries++ >= triesMax) return false
    const result = await runEpisodes(failed.seed, episodes, options, failed.leasesMax)
    const isSame = result.violations[0]?.invariant === failed.violations[0]?.invariant
    if (isSame) best = result
    return isSame
  }
  // Whole episodes first, the oldest before the newer ones.
  for (let index = 0; index < best.episodes.length;)
    if (best.episodes.length === 1 || !(await fails(best.episodes.toSpliced(index, 1)))) index++
  for (let index = 0; index < best.episodes.length; index++) {
    let size = Math.ceil((best.episodes[index]?.length ?? 0) / 2)
    while (size >= 1) {
      for (let at = 0; at < (best.episodes[index]?.length ?? 0);) {
        const episode = best.episodes[index] ?? []
        const shorter = best.episodes.with(index, joined(episode, at, size))
        if (!(await fails(shorter))) at += size
      }
      if (size === 1) break
      size = Math.ceil(size / 2)
    }
  }
  return best
}

/** The time that passed before what is left out still passes. */
function joined(episode: readonly Command[], at: number, count: number): readonly Command[] {
  const goneMs = episode.slice(at, at + count).reduce((sum, { afterMs }) => sum + afterMs, 0)
  const rest = episode.toSpliced(at, count)
  const next = rest[at]
  return next === undefined ? rest : rest.with(at, { ...next, afterMs: next.afterMs + goneMs })
}
