// Does what a user does, and notes after each step what the page says of itself. A browser that
// nobody sees may show no frames, so that what waits for a frame is done at once.
window.requestAnimationFrame = (draw) => setTimeout(draw, 0);
(async () => {
  const log = [];
  const settle = () => new Promise((done) => setTimeout(done, 60));
  const note = async (step) => {
    await settle();
    const { fromUs, toUs, selected, hidden, found, drawn } = document.body.dataset;
    log.push([step, toUs - fromUs, fromUs, selected, hidden, found, drawn].join("|"));
  };
  const press = (key) =>
    document.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
  const scene = document.getElementById("scene");
  const box = scene.getBoundingClientRect();
  const at = (x, y) => ({
    clientX: box.left + x,
    clientY: box.top + y,
    bubbles: true,
    cancelable: true,
  });
  const point = (type, x, y) => scene.dispatchEvent(new PointerEvent(type, at(x, y)));
  await note("start");
  press("+");
  await note("nearer");
  press("ArrowRight");
  await note("right");
  scene.dispatchEvent(new WheelEvent("wheel", { ...at(600, 300), deltaY: -400 }));
  await note("wheel");
  press("0");
  await note("all");
  press("+");
  press("+");
  await note("twice");
  point("pointerdown", 600, 300);
  point("pointermove", 500, 300);
  point("pointerup", 500, 300);
  await note("dragged");
  point("pointerdown", 600, 79);
  point("pointerup", 600, 79);
  await note("clicked");
  const labels = [...document.querySelectorAll("#kinds label")];
  labels.find((label) => label.textContent.startsWith("Phase2A")).click();
  await note("unchecked");
  document.getElementById("find").value = "MatchA";
  document.getElementById("find").dispatchEvent(new InputEvent("input"));
  await note("typed");
  press("n");
  await note("next");
  press("Escape");
  await note("escaped");
  document.getElementById("to-failure").click();
  await note("failure");
  location.hash = "#t=300&span=4";
  await note("address");
  document.querySelector("#list li:last-child button").click();
  await note("event");
  document.body.dataset.log = log.join(";");
})();
