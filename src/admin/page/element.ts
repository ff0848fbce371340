/** Creates elements. Text goes in as text: what a stranger sent is never parsed as markup. */

export type Child = Node | string

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const created = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes))
    created.setAttribute(attribute, value)
  created.append(...children)
  return created
}

/** @throws when the page has no such element, which is a mistake in the page */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** Equal text stays untouched: a selection survives, and a screen reader says nothing. */
export function setText(id: string, text: string): void {
  const found = byId(id)
  if (found.textContent !== text) found.textContent = text
}

/**
 * Changes only what differs, so that the focus, a selection and opened details survive. Elements
 * with a `data-key` are matched by it, others by their position.
 */
export function setChildren(parent: Element, children: readonly Node[]): void {
  const keyed = new Map([...parent.children].map((child) => [keyOf(child), child]))
  const kept = new Set(children.map(keyOf))
  for (const child of [...parent.children])
    if (keyOf(child) !== undefined && !kept.has(keyOf(child))) child.remove()
  for (const [index, child] of children.entries()) {
    const there = parent.childNodes[index] ?? null
    const old = keyOf(child) === undefined ? there : keyed.get(keyOf(child))
    if (old === undefined || old?.nodeName !== child.nodeName || keyOf(old) !== keyOf(child))
      parent.insertBefore(child, there)
    else {
      // A moved element would lose both, so its neighbours move instead.
      if (isHeld(old)) while (parent.childNodes[index] !== old) moveToEnd(parent, index)
      else if (old !== there) parent.insertBefore(old, there)
      keyed.delete(keyOf(child))
      change(old, child)
    }
  }
  while (parent.childNodes.length > children.length) parent.lastChild?.remove()
}

/** Whether the focus or a selection is in it. */
const isHeld = (node: Node): boolean =>
  node.contains(document.activeElement) || node.contains(getSelection()?.anchorNode ?? null)

function moveToEnd(parent: Element, index: number): void {
  const node = parent.childNodes[index]
  if (node !== undefined) parent.append(node)
}

const keyOf = (node: Node): string | undefined =>
  node instanceof HTMLElement ? node.dataset.key : undefined

function change(old: Node, next: Node): void {
  if (!(old instanceof Element) || !(next instanceof Element)) {
    if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue
    return
  }
  for (const { name } of [...old.attributes])
    // The reader decides whether it is open.
    if (name !== 'open' && !next.hasAttribute(name)) old.removeAttribute(name)
  for (const { name, value } of next.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  setChildren(old, [...next.childNodes])
}
