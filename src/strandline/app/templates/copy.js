export function render({model, el}) {
  const button = document.createElement("button")
  button.type = "button"
  button.className = "copier"
  button.textContent = model.label
  const copy = async () => {
    try { await navigator.clipboard.writeText(model.text) } catch {
      const area = document.createElement("textarea")
      area.value = model.text
      el.append(area)
      area.select()
      document.execCommand("copy")
      area.remove()
    }
    button.textContent = "Copied"
    setTimeout(() => { button.textContent = model.label }, 1200)
  }
  button.addEventListener("click", copy)
  el.append(button)
}
