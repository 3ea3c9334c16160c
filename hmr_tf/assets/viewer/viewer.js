// The page: pictures and their slider, mouse, fingers and keys, the player. No library, no network.
// bodies.js and drawing.js stand before it in the same script.
"use strict";

const $ = (id) => document.getElementById(id);

// ---- pictures and messages

function showPictures(photo, overlay) {
  if (!photo) return;
  $("pictures").hidden = false;
  $("photo").src = photo;
  $("photo").addEventListener("load", ({ target }) => { // its frame on a phone
    target.parentElement.style.setProperty("--aspect", target.naturalWidth / target.naturalHeight);
  });
  $("overlay").hidden = $("compare-controls").hidden = !overlay;
  if (!overlay) return;
  $("overlay").src = overlay;
  $("compare").addEventListener("input", compare);
  $("overlay").addEventListener("load", compare);
  new ResizeObserver(compare).observe($("overlay"));
}

// Cuts the overlay off at the left, as far as the slider says.
function compare() {
  const picture = $("overlay"), frame = picture.clientWidth;
  const aspect = picture.naturalWidth / picture.naturalHeight;
  const width = Math.min(frame, picture.clientHeight * aspect); // it may be narrower than its frame
  const cut = (frame - width) / 2 + width * (1 - $("compare").value / 100);
  picture.style.clipPath = `inset(0 0 0 ${cut}px)`;
}

function showError(error) {
  $("message").textContent = "The body cannot be shown in 3D here; WebGL may be switched off. " +
    `The pictures and "Save GLB" still work. (${error.message})`;
  $("message").hidden = false;
  document.body.dataset.state = "error";
}

// ---- mouse, fingers and keys on the canvas; `view` is changed, `changed` called after it

// Middle of all fingers, or the mouse, and the distance between two of them.
function grip(fingers) {
  const [a, b = a] = fingers.values();
  const apart = Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1);
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart };
}

function drag(view, event, before, after, numFingers) {
  const height = event.target.clientHeight, { buttons, shiftKey, ctrlKey, metaKey } = event;
  const right = (after.x - before.x) / height, down = (after.y - before.y) / height;
  const rightOrKey = buttons & 2 || shiftKey || ctrlKey || metaKey, middle = buttons & 4;
  if (numFingers > 1) zoomView(view, before.apart / after.apart);
  if (numFingers > 1 || rightOrKey) moveView(view, right, down);
  else if (middle) zoomView(view, Math.exp(2 * down));
  else rotateView(view, 2 * Math.PI * right, 2 * Math.PI * down);
}

function listenToPointers(canvas, view, changed) {
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = grip(fingers);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    drag(view, event, before, grip(fingers), fingers.size);
    changed();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const gain = event.ctrlKey ? 0.005 : 0.001; // Ctrl: two fingers on a touchpad, in small steps
    zoomView(view, Math.exp(gain * clamp(event.deltaY, -200, 200)));
    changed();
  }, { passive: false });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM_KEYS = { "+": 0.9, "=": 0.9, "-": 1 / 0.9 };

function listenToKeys(canvas, view, changed, buttons) {
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // for the browser
    const arrow = ARROWS[event.key], zoom = ZOOM_KEYS[event.key], button = buttons[event.key];
    if (arrow && event.shiftKey) moveView(view, 0.05 * arrow[0], 0.05 * arrow[1]);
    else if (arrow) rotateView(view, 0.1 * arrow[0], 0.1 * arrow[1]);
    else if (zoom) zoomView(view, zoom);
    else if (button) button.click();
    else return;
    event.preventDefault();
    changed();
  });
}

// ---- the page

const scene = {}, view = {}; // global, so that a browser's console and the tests see them
let playing = false, time = 0, isStale = true;

function setTime(seconds) {
  time = Math.fround(seconds); // as exact as the times in the file
  poseBodies(scene, time);
  $("time").value = time;
  $("clock").textContent = `${time.toFixed(2)} s`;
  isStale = true;
}

function setPlaying(now) {
  playing = now && scene.duration > 0;
  $("play").textContent = playing ? "Pause" : "Play";
}

function fitCanvas(canvas) {
  const density = Math.min(window.devicePixelRatio, 2);
  canvas.width = Math.max(1, Math.round(density * canvas.clientWidth));
  canvas.height = Math.max(1, Math.round(density * canvas.clientHeight));
  isStale = true;
}

function listen(canvas) {
  const changed = () => { isStale = true; };
  const showFront = () => {
    Object.assign(view, frontView(scene.bounds, canvas.width / canvas.height));
    changed();
  };
  $("reset").addEventListener("click", showFront);
  $("wire").addEventListener("change", changed);
  $("play").addEventListener("click", () => setPlaying(!playing));
  $("time").addEventListener("input", () => {
    setPlaying(false);
    setTime($("time").valueAsNumber);
  });
  listenToPointers(canvas, view, changed);
  listenToKeys(canvas, view, changed, { Home: $("reset"), " ": $("play") });
  new ResizeObserver(() => fitCanvas(canvas)).observe(canvas);
  fitCanvas(canvas);
  showFront();
}

function show(bytes) {
  const canvas = $("canvas"), gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
  if (!gl) throw new Error("this browser has no WebGL 2");
  Object.assign(scene, readScene(bytes));
  scene.floor = floorLines(scene.bounds);
  $("player").hidden = scene.duration === 0;
  $("time").max = scene.duration;
  setTime(0);
  listen(canvas);
  setPlaying(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  let graphics = makeGraphics(gl, scene);
  // A browser may take the graphics card away: ask for it again.
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    graphics = makeGraphics(gl, scene);
    isStale = true;
  });
  drawFrames(() => draw(gl, graphics, scene, view, $("wire").checked));
}

function drawFrames(drawScene) {
  let before = performance.now();
  const tick = (now) => {
    const elapsed = Math.max(now - before, 0) / 1000;
    before = now;
    if (playing) setTime((time + elapsed) % scene.duration);
    if ($("spin").checked) rotateView(view, -elapsed * 2 * Math.PI / 30, 0); // 30 s a rotation
    if (isStale || $("spin").checked) drawScene();
    isStale = false;
    document.body.dataset.state = "ready";
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function main() {
  const { photo, overlay, glb } = JSON.parse($("data").textContent), bytes = bytesFromBase64(glb);
  showPictures(photo, overlay);
  $("save").href = URL.createObjectURL(new Blob([bytes], { type: "model/gltf-binary" }));
  try { show(bytes); } catch (error) { showError(error); }
}

main();
