// Pointing at a statement shows the boxes it rests on; pointing at a box shows the statements that rest on it.
for (const sample of document.querySelectorAll(".sample")) {
  const boxes = [...sample.querySelectorAll("[data-box]")];
  const marks = [...sample.querySelectorAll("mark[data-boxes]")];
  const numbers = (mark) => mark.dataset.boxes.split(" ");

  const point = (event) => {
    const mark = event.target.closest("mark[data-boxes]");
    const box = event.target.closest("[data-box]");
    const lit = mark ? numbers(mark) : box ? [box.dataset.box] : [];
    sample.classList.toggle("pointing", lit.length > 0);
    for (const other of boxes) other.classList.toggle("lit", lit.includes(other.dataset.box));
    for (const other of marks) {
      other.classList.toggle("lit", box ? numbers(other).includes(box.dataset.box) : other === mark);
    }
  };
  for (const kind of ["pointerover", "focusin", "click"]) sample.addEventListener(kind, point);
  for (const kind of ["pointerleave", "focusout"]) {
    sample.addEventListener(kind, () => {
      sample.classList.remove("pointing");
      for (const lit of sample.querySelectorAll(".lit")) lit.classList.remove("lit");
    });
  }
}
