export function render({model, el}) {
  model.on("url", () => {
    if (!model.url) return
    const link = document.createElement("a")
    link.href = model.url
    link.download = model.filename
    el.append(link)
    link.click()
    link.remove()
  })
}
