/** Directories that systemd makes for its unit (systemd.exec(5), RuntimeDirectory=). */

/** @param list as in `$RUNTIME_DIRECTORY`; @returns the first, which is ours; undefined: none */
export function unitDirectory(list: string | undefined): string | undefined {
  const [directory = ''] = (list ?? '').split(':')
  return directory === '' ? undefined : directory
}
