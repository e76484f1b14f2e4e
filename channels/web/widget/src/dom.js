// Elements without markup in a string: nothing that was typed or answered can become an element or a script.

const there = (child) => child;

/** An element with these attributes and children; an attribute that is null or undefined and an empty child stay out. */
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes) if (attributes[name] != null) node.setAttribute(name, attributes[name]);
  node.append(...children.filter(there));
  return node;
}

/** `children` instead of what the node holds. */
export function fill(node, ...children) {
  node.textContent = "";
  node.append(...children.filter(there));
}
