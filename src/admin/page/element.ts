/** Makes elements. Text goes in as text: nothing that a stranger sent is ever read as markup. */

export type Child = Node | string

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

/** @throws when the page has no such element, which is a mistake in the page */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** What is the same is left alone: a selection stays, and nothing is read out again. */
export function setText(id: string, text: string): void {
  const found = byId(id)
  if (found.textContent !== text) found.textContent = text
}

/** The same for elements, one by one. */
export function setChildren(id: string, children: readonly HTMLElement[]): void {
  const parent = byId(id)
  for (const [index, child] of children.entries()) {
    const before = parent.children.item(index)
    if (before === null) parent.append(child)
    else if (!before.isEqualNode(child)) before.replaceWith(child)
  }
  while (parent.children.length > children.length) parent.lastElementChild?.remove()
}
