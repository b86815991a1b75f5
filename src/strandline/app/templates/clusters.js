export function render({model, el}) {
  const draw = () => {
    el.replaceChildren()
    const list = document.createElement("div")
    list.className = "clusters"
    list.setAttribute("role", "group")
    list.setAttribute("aria-label", "Clusters: click to mark as water")
    for (const row of model.rows) {
      const line = document.createElement("button")
      line.type = "button"
      line.className = "cluster" + (row.water ? " wet" : "") + (row.some ? " some" : "")
      line.dataset.cluster = row.cluster
      line.setAttribute("role", "checkbox")
      line.setAttribute("aria-checked", row.water ? "true" : row.some ? "mixed" : "false")
      line.title = row.water ? "Counts as water; click to change that"
        : "Click to count this cluster as water"
      const part = (name, text) => {
        const span = document.createElement("span")
        span.className = name
        span.textContent = text
        line.append(span)
        return span
      }
      part("swatch", "").style.background = row.colour
      part("number", row.cluster)
      part("hint", row.hint)
      part("share", row.share)
      part("mark", row.water ? "water" : row.some ? "partly" : "")
      line.addEventListener("click", () => model.send_msg({cluster: row.cluster}))
      list.append(line)
    }
    el.append(list)
  }
  draw()
  model.on("rows", draw)
}
