// The picture: pointing at a statement shows what it rests on, pointing at a box or a caption shows what is said of it;
// zoom; boxes by category. What is hidden stays hidden on the next sample.
"use strict";

const picture = (() => {
  const root = document.getElementById("sample");
  const all = (selector) => [...root.querySelectorAll(selector)];
  const words = (text) => (text || "").split(" ").filter(Boolean);
  const hidden = new Set();
  let noBoxes = false;
  let view = null;

  // Lighting up

  const show = (claims, boxes, captions, from) => {
    for (const each of all("[data-box]")) each.classList.toggle("lit", boxes.has(each.dataset.box));
    for (const each of all("[data-boxline]")) each.classList.toggle("lit", boxes.has(each.dataset.boxline));
    for (const each of all("[data-caption]")) each.classList.toggle("lit", captions.has(each.dataset.caption));
    for (const each of all("[data-claims]")) {
      each.classList.toggle("lit", each === from || words(each.dataset.claims).some((claim) => claims.has(claim)));
    }
    const sample = root.querySelector(".sample");
    if (sample) sample.classList.toggle("pointing", boxes.size > 0);
    const line = root.querySelector(".lines .lit");
    if (line && from && !from.closest(".lines")) reveal(line);
  };

  const reveal = (line) => {
    const panel = line.closest(".lines");
    const top = line.offsetTop - panel.offsetTop;
    if (top < panel.scrollTop || top + line.offsetHeight > panel.scrollTop + panel.clientHeight) panel.scrollTop = top - 8;
  };

  const light = (element) => {
    const claims = new Set(), boxes = new Set(), captions = new Set();
    const statement = element && element.closest("[data-claims], [data-claim]");
    const box = element && element.closest("[data-box], [data-boxline]");
    const caption = element && element.closest("[data-caption]");
    if (statement) {
      for (const number of words(statement.dataset.claims || statement.dataset.claim)) {
        const claim = document.getElementById(`claim-${number}`);
        claims.add(number);
        for (const each of words(claim?.dataset.boxes)) boxes.add(each);
        for (const each of words(claim?.dataset.captions)) captions.add(each);
      }
    } else if (box) {
      const number = box.dataset.box ?? box.dataset.boxline;
      boxes.add(number);
      for (const claim of all("[data-claim]")) {
        if (words(claim.dataset.boxes).includes(number)) claims.add(claim.dataset.claim);
      }
    } else if (caption) {
      captions.add(caption.dataset.caption);
      for (const claim of all("[data-claim]")) {
        if (words(claim.dataset.captions).includes(caption.dataset.caption)) claims.add(claim.dataset.claim);
      }
    }
    show(claims, boxes, captions, statement || box || caption);
  };

  for (const kind of ["pointerover", "focusin"]) root.addEventListener(kind, (event) => light(event.target));
  for (const kind of ["pointerleave", "focusout"]) root.addEventListener(kind, () => light(null));

  // Zoom

  const svg = () => document.getElementById("picture");
  const whole = () => {
    const image = svg().querySelector("image");
    return { x: 0, y: 0, w: Number(image.getAttribute("width")), h: Number(image.getAttribute("height")) };
  };
  const apply = () => {
    const full = whole();
    view.w = Math.min(view.w, full.w);
    view.h = (view.w * full.h) / full.w;
    view.x = Math.min(Math.max(view.x, 0), full.w - view.w);
    view.y = Math.min(Math.max(view.y, 0), full.h - view.h);
    svg().setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    svg().style.setProperty("--zoom", full.w / view.w);
    svg().classList.toggle("zoomed", view.w < full.w);
  };
  const zoom = (factor, at) => {
    if (!svg()) return;
    const full = whole();
    view ??= full;
    const w = Math.min(Math.max(view.w / factor, full.w / 12), full.w);
    const x = at ? at.x : view.x + view.w / 2, y = at ? at.y : view.y + view.h / 2;
    view = { x: x - ((x - view.x) * w) / view.w, y: y - ((y - view.y) * w) / view.w, w, h: 0 };
    apply();
  };
  const fit = () => {
    if (!svg()) return;
    view = whole();
    apply();
  };
  const spot = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg().getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  };

  root.addEventListener("wheel", (event) => {
    if (!event.target.closest("#picture")) return;
    if (!event.ctrlKey && !event.metaKey && !svg().classList.contains("zoomed") && event.deltaY > 0) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), spot(event));
  }, { passive: false });

  let held = null;
  root.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#picture.zoomed") && event.button === 0) held = spot(event);
  });
  root.addEventListener("pointermove", (event) => {
    if (!held || !svg() || !(event.buttons & 1)) { held = null; return; }
    const now = spot(event);
    view = { ...view, x: view.x + held.x - now.x, y: view.y + held.y - now.y };
    apply();
  });
  root.addEventListener("click", (event) => {
    const way = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (way) way === "whole" ? fit() : zoom(way === "in" ? 1.5 : 1 / 1.5);
  });

  // Boxes by category

  const dress = () => {
    for (const box of all("[data-box]")) box.classList.toggle("off", noBoxes || hidden.has(box.dataset.category));
    for (const button of all("button[data-category]")) {
      button.setAttribute("aria-pressed", String(!noBoxes && !hidden.has(button.dataset.category)));
    }
    document.getElementById("boxes")?.setAttribute("aria-pressed", String(!noBoxes));
  };
  const boxes = () => {
    noBoxes = !noBoxes;
    if (!noBoxes) hidden.clear();
    dress();
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-category]");
    if (event.target.closest("#boxes")) boxes();
    if (!button) return;
    if (noBoxes) {
      noBoxes = false;
      for (const other of all("button[data-category]")) hidden.add(other.dataset.category);
    }
    const name = button.dataset.category;
    hidden.has(name) ? hidden.delete(name) : hidden.add(name);
    dress();
  });

  // Without a picture, boxes on an empty canvas

  root.addEventListener("error", (event) => {
    if (event.target.tagName !== "image") return;
    event.target.classList.add("missing");
    svg().classList.add("empty");
    root.querySelector(".no-picture").hidden = false;
  }, true);

  const arrive = () => {
    view = null;
    const image = svg()?.querySelector("image");
    image?.setAttribute("href", image.dataset.href); // only now that somebody listens whether it fails
    dress();
  };
  arrive();
  return { light, zoom, fit, boxes, arrive };
})();
