export function render({model, el}) {
  const draw = () => {
    el.replaceChildren()
    const list = document.createElement("div")
    list.className = "clusters"
    list.setAttribute("role", "group")
    list.setAttribute("aria-label", "Clusters")
    for (const row of model.rows) {
      const line = document.createElement("div")
      line.className = "cluster" + (row.water ? " wet" : "") + (row.some ? " some" : "")
      line.dataset.cluster = row.cluster
      const part = (name, text, kind = "span") => {
        const span = document.createElement(kind)
        span.className = name
        span.textContent = text
        line.append(span)
        return span
      }
      part("swatch", "").style.background = row.colour
      part("number", row.cluster)
      part("hint", row.hint)
      part("share", row.share)
      const mark = part("mark", row.water ? "water" : row.some ? "partly" : "land", "button")
      mark.type = "button"
      mark.setAttribute("role", "checkbox")
      mark.setAttribute("aria-label", `Cluster ${row.cluster} counts as water`)
      mark.setAttribute("aria-checked", row.water ? "true" : row.some ? "mixed" : "false")
      mark.title = row.water ? "Counts as water; click to count it no longer"
        : row.some ? "Parts of it count as water; click to count all of it"
        : "Click to count this cluster as water"
      mark.addEventListener("click", () => model.send_msg({cluster: row.cluster}))
      list.append(line)
    }
    el.append(list)
  }
  draw()
  model.on("rows", draw)
}
