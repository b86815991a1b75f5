// The part of a report that answers to its reader: swipe between dates, ask a pixel for its spectrum.
// No library, no network. Without this script the static pictures stay as they are.
"use strict";
(async function () {
  const root = document.getElementById("explorer");
  if (!root) return;
  const find = (selector) => root.querySelector(selector);
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const layers = data.layers;
  const [rows, columns] = data.shape;
  const map = find(".map"), slider = find("#swipe"), live = find("#live");
  const shown = { left: 0, right: data.dates.length - 1, layer: layers[0].key };
  const view = { zoom: 1, x: 0, y: 0 }; // of the map, and what part of it lies left and above, 0 to 1
  let [row, column] = data.start;
  let points = null;

  // ---- pictures ------------------------------------------------------------------------------

  function place(image, picture) {
    image.hidden = picture === undefined;
    if (image.hidden) return;
    image.src = picture.source;
    image.style.width = `${100 * picture.width}%`;
    image.style.height = `${100 * picture.height}%`;
  }

  function showPictures() {
    const layer = layers.find((one) => one.key === shown.layer);
    map.classList.toggle("grey", layer.grey);
    // A layer that is the same on both sides has nothing to swipe between.
    root.classList.toggle("single", layer.single);
    cutAt(slider && !layer.single ? Number(slider.value) : 0);
    for (const side of ["left", "right"]) {
      const half = find(`.half.${side}`);
      if (!half) continue;
      place(half.querySelector(".below"), data.pictures[layer.below[shown[side]]]);
      place(half.querySelector(".over"), data.pictures[layer.over[shown[side]]]);
      const date = data.dates[shown[side]];
      find(`.tag.${side}`).textContent = [date.name, date.sensor].filter(Boolean).join(" · ");
    }
    const of = layer.single ? [0, data.dates.length - 1] : [...new Set([shown.left, shown.right])];
    find(".maptitle").textContent = `${layer.name}, ${of.map((i) => data.dates[i].name).join(layer.single ? " to " : " and ")}`;
    for (const legend of root.querySelectorAll(".legend")) legend.hidden = legend.dataset.layer !== layer.key;
  }

  // ---- swipe ---------------------------------------------------------------------------------

  function cutAt(percent) {
    const cut = Math.min(100, Math.max(0, percent));
    map.style.setProperty("--cut", `${cut}%`);
    if (!slider || root.classList.contains("single")) return;
    slider.value = cut;
    const [left, right] = [data.dates[shown.left].name, data.dates[shown.right].name];
    slider.setAttribute("aria-valuetext", `${Math.round(cut)} % ${left}, ${100 - Math.round(cut)} % ${right}`);
  }

  function percentOf(event) {
    const box = map.getBoundingClientRect();
    return [100 * (event.clientX - box.left) / box.width, 100 * (event.clientY - box.top) / box.height];
  }

  // ---- zoom ----------------------------------------------------------------------------------

  // As far as points are large enough to count them.
  const mostZoom = () => Math.max(4, Math.min(64, 24 * Math.max(rows / map.clientHeight, columns / map.clientWidth)));

  // Show so much of the map that the place under (u, v) of the frame, 0 to 1, stays where it is.
  function zoomTo(zoom, u, v) {
    const next = Math.min(mostZoom(), Math.max(1, zoom));
    moveTo(view.x + u / view.zoom - u / next, view.y + v / view.zoom - v / next, next);
  }

  function moveTo(x, y, zoom = view.zoom) {
    const inside = (part) => Math.min(Math.max(part, 0), 1 - 1 / zoom);
    Object.assign(view, { zoom, x: inside(x), y: inside(y) });
    map.style.setProperty("--zoom", zoom);
    map.style.setProperty("--x", view.x);
    map.style.setProperty("--y", view.y);
    map.classList.toggle("zoomed", zoom > 1);
    find("#zoom-in").disabled = zoom >= mostZoom();
    find("#zoom-out").disabled = find("#zoom-all").disabled = zoom <= 1;
    showBar();
    showCross();
  }

  // The largest of 1, 2, 5 times a power of ten that fits into a quarter of the frame.
  function showBar() {
    const bar = find(".bar");
    if (!bar) return;
    const ground = Number(bar.dataset.metres) / view.zoom, limit = ground / 4;
    const power = 10 ** Math.floor(Math.log10(limit));
    const length = Math.max(...[1, 2, 5].map((m) => m * power).filter((m) => m <= limit * (1 + 1e-9)));
    bar.style.width = `${100 * length / ground}%`;
    bar.firstElementChild.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  }

  const placeOf = (event) => {
    const [x, y] = percentOf(event);
    return [view.x + x / 100 / view.zoom, view.y + y / 100 / view.zoom];
  };

  for (const [id, factor] of [["zoom-in", 2], ["zoom-out", 0.5], ["zoom-all", 0]]) {
    find(`#${id}`).addEventListener("click", () => {
      const [u, v] = factor > 1 ? frameOf(...chosenPlace()) : [0.5, 0.5];
      const seen = u >= 0 && u <= 1 && v >= 0 && v <= 1;
      zoomTo(view.zoom * factor, seen ? u : 0.5, seen ? v : 0.5);
    });
  }
  // With Ctrl, as a wheel alone scrolls the page; a pinch on a touchpad arrives as the same.
  map.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const [x, y] = percentOf(event);
    zoomTo(view.zoom * 2 ** (-event.deltaY / 200), x / 100, y / 100);
  }, { passive: false });
  map.addEventListener("dblclick", (event) => {
    const [x, y] = percentOf(event);
    zoomTo(view.zoom * 2, x / 100, y / 100);
  });

  // ---- pointers ------------------------------------------------------------------------------

  // A drag moves the line between the dates, or the part of the map that is shown where it is zoomed
  // and the line is not touched; two fingers zoom; a click or tap asks the pixel.
  let start = null, pinch = null;
  const fingers = new Map();
  map.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      start = null;
      pinch = { apart: apart(), zoom: view.zoom };
      return;
    }
    if (event.button !== 0 || !event.isPrimary) return;
    const onLine = event.target.closest(".divider") !== null;
    start = { x: event.clientX, y: event.clientY, dragged: false, from: { ...view }, pans: view.zoom > 1 && !onLine };
  });
  function apart() {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  }
  map.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
    if (pinch && fingers.size === 2) {
      const middles = [...fingers.values()].map(percentOf);
      const [u, v] = [0, 1].map((i) => (middles[0][i] + middles[1][i]) / 200);
      zoomTo(pinch.zoom * apart() / Math.max(pinch.apart, 1), u, v);
      return;
    }
    if (!start || !event.isPrimary) return;
    const swipes = slider && !root.classList.contains("single");
    if (!start.pans && !swipes) return;
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    if (!start.dragged && Math.abs(dx) < 6 && !(start.pans && Math.abs(dy) >= 6)) return;
    if (!start.dragged) map.setPointerCapture(event.pointerId);
    start.dragged = true;
    if (!start.pans) return cutAt(percentOf(event)[0]);
    const box = map.getBoundingClientRect();
    moveTo(start.from.x - dx / box.width / view.zoom, start.from.y - dy / box.height / view.zoom);
  });
  map.addEventListener("pointerup", (event) => {
    const pinched = pinch !== null;
    lift(event);
    const clicked = !pinched && start && !start.dragged && Math.abs(event.clientY - start.y) < 6;
    start = null;
    if (!clicked || event.target.closest(".zoom")) return;
    const [x, y] = placeOf(event);
    const [high, wide] = data.pixels.map((pixels) => pixels / data.per_point);
    choose(Math.floor(y * high), Math.floor(x * wide));
  });
  function lift(event) {
    fingers.delete(event.pointerId);
    if (fingers.size === 0) pinch = null;
  }
  map.addEventListener("pointercancel", (event) => { lift(event); start = null; });

  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  map.addEventListener("keydown", (event) => {
    const move = moves[event.key], factor = { "+": 2, "=": 2, "-": 0.5, 0: 0 }[event.key];
    if (factor !== undefined && event.target === map && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      zoomTo(view.zoom * factor, ...frameOf(...chosenPlace()));
      return;
    }
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    choose(row + far * move[0], column + far * move[1]);
  });

  // ---- pixels --------------------------------------------------------------------------------

  // Undo what `Points.packed` did: bytes apart, differences, signs in the lowest bit.
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const content = new Uint8Array(await new Response(stream).arrayBuffer());
    const plane = rows * columns, count = data.dates.length * data.bands.length * plane;
    const values = new Uint16Array(count);
    for (let i = 0, last = 0; i < count; i++) {
      if (i % plane === 0) last = 0;
      const folded = content[i] | (content[count + i] << 8);
      last = (last + ((folded >>> 1) ^ -(folded & 1))) & 65535;
      values[i] = last;
    }
    return { values, classes: content.subarray(2 * count) };
  }

  function spectrum(date) {
    return data.bands.map((_, band) => {
      const code = points.values[((date * data.bands.length + band) * rows + row) * columns + column];
      return code === 0 ? null : data.low + (code - 1) * data.step;
    });
  }

  const classOf = (layer) => points.classes[(layer * rows + row) * columns + column];

  // Longitude and latitude between the nodes that the page carries.
  function lonlat(x, y) {
    const { nodes, longitude, latitude } = data.place;
    const [u, v] = [x, y].map((part) => Math.min(Math.max(part, 0), 1) * (nodes - 1));
    const [i, j] = [u, v].map((part) => Math.min(Math.floor(part), nodes - 2));
    const [p, q] = [u - i, v - j];
    const between = (of) => {
      const four = [of[j * nodes + i], of[j * nodes + i + 1], of[(j + 1) * nodes + i], of[(j + 1) * nodes + i + 1]];
      if (four.includes(null)) return NaN;
      return (four[0] * (1 - p) + four[1] * p) * (1 - q) + (four[2] * (1 - p) + four[3] * p) * q;
    };
    return [((between(longitude) + 540) % 360) - 180, between(latitude)];
  }

  // Where on the map the chosen point lies, 0 to 1; the last points may reach beyond it.
  function chosenPlace() {
    const [high, wide] = data.pixels;
    return [Math.min(1, (column + 0.5) * data.per_point / wide), Math.min(1, (row + 0.5) * data.per_point / high)];
  }

  const frameOf = (x, y) => [(x - view.x) * view.zoom, (y - view.y) * view.zoom];

  function showCross() {
    const cross = find(".cross"), [u, v] = frameOf(...chosenPlace());
    cross.style.left = `${100 * u}%`;
    cross.style.top = `${100 * v}%`;
  }

  function choose(newRow, newColumn) {
    row = Math.min(rows - 1, Math.max(0, newRow));
    column = Math.min(columns - 1, Math.max(0, newColumn));
    const [x, y] = chosenPlace(), [u, v] = frameOf(x, y);
    const [half, out] = [0.5 / view.zoom, (part) => part < 0 || part > 1];
    if (out(u) || out(v)) moveTo(out(u) ? x - half : view.x, out(v) ? y - half : view.y);
    else showCross();
    if (points) tell(x, y);
  }

  // How sure the mask of a date is of the chosen pixel, in words; nothing where that is not known.
  function sureness(date) {
    const code = data.sure ? classOf(2 * data.dates.length + (data.changes ? 1 : 0) + date) : 0;
    if (code === 0) return "";
    const percent = 100 * (data.sure.low + (code - 1) * data.sure.step);
    return percent > 99 ? " (over 99 % sure)" : ` (${percent.toFixed(0)} % sure)`;
  }

  const waterNames = { 0: "not water", 1: "water" };

  function tell(x, y) {
    const facts = find("#facts");
    facts.replaceChildren();
    const add = (name, text, colour) => {
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = name;
      if (colour) {
        const swatch = find("template").content.firstElementChild.cloneNode(true);
        swatch.firstElementChild.setAttribute("fill", colour);
        value.append(swatch, " ");
      }
      value.append(text);
      facts.append(term, value);
    };
    const dates = data.dates.length, heard = [];
    const addDates = () => {
      for (let date = 0; date < dates; date++) {
        const cluster = data.clusters[classOf(date)];
        const water = waterNames[classOf(dates + date)] || "not observed";
        const words = cluster ? `${water}${sureness(date)}, cluster ${cluster.name}` : "not observed";
        add(data.dates[date].name, words, cluster && cluster.colour);
        if (sides().includes(date)) heard.push(data.dates[date].name, words);
      }
    };
    if (dates <= 6) addDates();
    if (data.changes) {
      const change = data.changes[classOf(2 * dates)];
      add("change", change.name, change.colour);
    }
    const per = data.per_point;
    if (data.place) {
      const [longitude, latitude] = lonlat(x, y);
      const side = (value, positive, negative) =>
        Number.isFinite(value) ? `${Math.abs(value).toFixed(5)}° ${value < 0 ? negative : positive}` : "–";
      add("place", `${side(latitude, "N", "S")}, ${side(longitude, "E", "W")}`);
      if (!data.place.geographic) {
        const [east, north] = [data.place.left + x * data.pixels[1] * data.place.dx,
          data.place.top + y * data.pixels[0] * data.place.dy];
        add(data.place.crs, `${east.toFixed(1)}, ${north.toFixed(1)}`);
      }
    }
    const range = (first, end) => per === 1 ? `${first}` : `${first * per}–${Math.min((first + 1) * per, end) - 1}`;
    add("row, column", `${range(row, data.pixels[0])}, ${range(column, data.pixels[1])}`);
    if (dates > 6) addDates(); // a long list goes last
    drawChart();
    fillTable();
    live.textContent = heard.join(" ");
  }

  const sides = () => shown.left === shown.right ? [shown.right] : [shown.left, shown.right];

  function fillTable() {
    const spectra = sides().map(spectrum);
    find("#values thead").replaceChildren(line("th", ["band", ...sides().map((i) => data.dates[i].name)]));
    const decimals = Math.max(0, -Math.floor(Math.log10(data.step) + 1e-9));
    find("#values tbody").replaceChildren(...data.bands.map((band, i) =>
      line("td", [band, ...spectra.map((one) => one[i] === null ? "–" : one[i].toFixed(decimals))])));
  }

  function line(kind, texts) {
    const tr = document.createElement("tr");
    for (const text of texts) tr.appendChild(document.createElement(kind)).textContent = text;
    return tr;
  }

  // ---- chart ---------------------------------------------------------------------------------

  const chart = find("#chart");
  const box = { left: 46, right: 410, top: 14, bottom: 214 };

  function draw(name, attributes, text) {
    const element = document.createElementNS(chart.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return chart.appendChild(element);
  }

  function niceStep(span) {
    const power = 10 ** Math.floor(Math.log10(span / 4));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => span / step <= 4.5);
  }

  function drawChart() {
    const spectra = sides().map(spectrum);
    const numbers = [...data.clusters.flatMap((one) => one.mean), ...spectra.flat()].filter((v) => v !== null);
    const low = Math.min(0, ...numbers), high = Math.max(...numbers, low + 10 * data.step);
    const [first, last] = [Math.min(...data.positions), Math.max(...data.positions)];
    const px = (v) => box.left + 12 + (box.right - box.left - 24) * (last > first ? (v - first) / (last - first) : 0.5);
    const py = (v) => box.bottom - (box.bottom - box.top) * (v - low) / (high - low);
    const order = data.positions.map((_, i) => i).sort((a, b) => data.positions[a] - data.positions[b]);
    const path = (spectrum) => order.filter((i) => spectrum[i] !== null)
      .map((i, n) => `${n ? "L" : "M"}${px(data.positions[i]).toFixed(1)} ${py(spectrum[i]).toFixed(1)}`).join("");
    chart.replaceChildren();
    draw("title", {}, "Spectrum of the chosen pixel on each date, over the mean spectra of the clusters");
    const step = niceStep(high - low), decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let v = Math.ceil(low / step) * step; v <= high; v += step) {
      draw("line", { x1: box.left, x2: box.right, y1: py(v), y2: py(v), class: "grid" });
      draw("text", { x: box.left - 6, y: py(v) + 4, class: "end" }, v.toFixed(decimals).replace("-", "−"));
    }
    draw("text", { x: box.left - 40, y: box.top - 3 }, data.unit);
    const byName = data.axis === "band", spaced = [];
    for (const i of order) {
      const x = px(data.positions[i]);
      draw("line", { x1: x, x2: x, y1: box.bottom, y2: box.bottom + 4, class: "tick" });
      // Names that would run into each other are left out; the table has them all.
      if (spaced.length && x - spaced.at(-1) < 13) continue;
      spaced.push(x);
      draw("text", { x: 0, y: 0, class: "end", transform: `translate(${x + 4} ${box.bottom + 10}) rotate(-60)` }, data.bands[i]);
    }
    draw("text", { x: (box.left + box.right) / 2, y: 284, class: "middle" }, byName ? "" : `bands at their ${data.axis.replace(" (µm)", "")}`);
    const own = new Set(sides().map(classOf));
    data.clusters.forEach((cluster, number) => {
      draw("path", { d: path(cluster.mean), stroke: cluster.colour, class: own.has(number) ? "cluster own" : "cluster" });
    });
    spectra.forEach((spectrum, n) => {
      draw("path", { d: path(spectrum), class: n === spectra.length - 1 ? "pixel late" : "pixel early" });
      for (const i of order) {
        if (spectrum[i] === null) continue;
        const [x, y] = [px(data.positions[i]), py(spectrum[i])];
        if (n === spectra.length - 1) draw("circle", { cx: x, cy: y, r: 3.6, class: "late" });
        else draw("rect", { x: x - 3.2, y: y - 3.2, width: 6.4, height: 6.4, class: "early" });
      }
    });
    const names = sides().map((i) => data.dates[i].name);
    for (const key of root.querySelectorAll(".key [data-side]")) {
      const name = key.dataset.side === "late" ? names.at(-1) : names.length > 1 ? names[0] : null;
      key.hidden = name === null;
      key.querySelector("span").textContent = name;
    }
    const unseen = spectra.map((one, n) => one.every((v) => v === null) ? names[n] : null).filter(Boolean);
    find("#unseen").textContent = unseen.length ? `Not observed: ${unseen.join(", ")}.` : "";
  }

  // ---- begin ---------------------------------------------------------------------------------

  map.style.setProperty("aspect-ratio", root.dataset.aspect);
  find(".look").style.setProperty("--aspect", root.dataset.aspect);
  for (const choice of root.querySelectorAll("input[name=layer]")) {
    choice.addEventListener("change", () => { shown.layer = choice.value; showPictures(); });
    if (choice.checked) shown.layer = choice.value; // what a reload left chosen
  }
  for (const side of ["left", "right"]) {
    const choice = find(`#date-${side}`);
    if (!choice) continue;
    choice.value = shown[side];
    choice.addEventListener("change", () => {
      shown[side] = Number(choice.value);
      showPictures();
      cutAt(Number(slider.value));
      choose(row, column);
    });
  }
  if (slider) slider.addEventListener("input", () => cutAt(Number(slider.value)));
  root.hidden = false;
  document.documentElement.classList.add("live");
  if (slider) slider.value = 50;
  showPictures();
  moveTo(0, 0, 1);
  choose(row, column);
  try {
    points = await unpack(data.packed);
    choose(row, column);
  } catch (error) {
    find(".pixel").replaceChildren("This browser cannot unpack the spectra; one of 2023 or later can.");
  }
  root.dataset.ready = "yes";
})();
