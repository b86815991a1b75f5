// Each address is another file: one that was given is not given again if the page is drawn anew.
let given = ""

export function render({model, el}) {
  model.on("url", () => {
    if (!model.url || model.url === given) return
    given = model.url
    const link = document.createElement("a")
    link.href = model.url
    link.download = model.filename
    el.append(link)
    link.click()
    link.remove()
  })
}
