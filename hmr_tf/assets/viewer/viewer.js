// Shows the photograph, and the people of the GLB in 3D with WebGL 2. No library, no network.
// Reads what hmr_tf/exporters/gltf writes, not every glTF file. Bodies are posed here and not on
// the graphics card: any number of morph targets, and normals of the posed surface.
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
  // The picture may be narrower than its frame.
  const width = Math.min(frame, picture.clientHeight * picture.naturalWidth / picture.naturalHeight);
  const cut = (frame - width) / 2 + width * (1 - $("compare").value / 100);
  picture.style.clipPath = `inset(0 0 0 ${cut}px)`;
}

function showError(error) {
  $("message").textContent = "The body cannot be shown in 3D here; WebGL may be switched off. " +
    `The pictures and "Save GLB" still work. (${error.message})`;
  $("message").hidden = false;
  document.body.dataset.state = "error";
}

// ---- vectors, quaternions (x, y, z, w) and 4 x 4 matrices, column after column as in glTF

const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const blend = (a, b, share) => a.map((x, i) => x + share * (b[i] - x));

function multiply(a, b) {
  const product = new Float64Array(16);
  for (let i = 0; i < 16; i++) {
    for (let k = 0; k < 4; k++) product[i] += a[i % 4 + 4 * k] * b[i - i % 4 + k];
  }
  return product;
}

function slerp(a, b, share) {
  const cos = dot(a, b), angle = Math.acos(Math.min(Math.abs(cos), 1));
  if (angle < 1e-3) return blend(a, b, share);
  const first = Math.sin((1 - share) * angle) / Math.sin(angle);
  const second = Math.sign(cos) * Math.sin(share * angle) / Math.sin(angle);
  return a.map((x, i) => first * x + second * b[i]);
}

function localTransform({ translation, rotation: [x, y, z, w], scale }) {
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w), 0].map((r) => r * scale[0]),
    [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w), 0].map((r) => r * scale[1]),
    [2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y), 0].map((r) => r * scale[2]),
    [...translation, 1],
  ].flat();
}

// ---- the GLB: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html

const ARRAYS = { 5121: Uint8Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array };
const COLUMNS = { SCALAR: 1, VEC3: 3, VEC4: 4, MAT4: 16 };

function bytesFromBase64(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// The file's JSON, with a function `array` that gives the numbers of an accessor.
function readGlb(bytes) {
  const header = new DataView(bytes.buffer);
  if (header.getUint32(0, true) !== 0x46546c67) throw new Error("this is not a GLB file");
  const length = header.getUint32(12, true);
  const gltf = JSON.parse(new TextDecoder().decode(bytes.subarray(20, 20 + length)));
  gltf.array = (number) => {
    const { bufferView, componentType, count, type } = gltf.accessors[number];
    const start = 28 + length + gltf.bufferViews[bufferView].byteOffset;
    return new ARRAYS[componentType](bytes.buffer, start, count * COLUMNS[type]);
  };
  return gltf;
}

function readNodes(gltf) {
  const rest = { translation: [0, 0, 0], rotation: [0, 0, 0, 1], scale: [1, 1, 1], children: [] };
  return gltf.nodes.map((node) => ({ ...rest, ...node }));
}

// One for each person: the mesh in its rest pose, its joints, and room for the posed mesh.
function readBodies(gltf, nodes) {
  return nodes.filter((node) => "mesh" in node).map((node) => {
    const mesh = gltf.meshes[node.mesh], [primitive] = mesh.primitives, skin = gltf.skins[node.skin];
    const { POSITION, JOINTS_0, WEIGHTS_0 } = primitive.attributes;
    const material = gltf.materials[primitive.material].pbrMetallicRoughness;
    const rest = gltf.array(POSITION), inverse = gltf.array(skin.inverseBindMatrices);
    node.weights = mesh.weights || [];
    return {
      node, rest,
      targets: (primitive.targets || []).map((target) => gltf.array(target.POSITION)),
      vertexJoints: gltf.array(JOINTS_0),
      vertexWeights: gltf.array(WEIGHTS_0),
      faces: gltf.array(primitive.indices),
      joints: skin.joints.map((number) => nodes[number]),
      inverse: skin.joints.map((_, i) => inverse.subarray(16 * i, 16 * i + 16)),
      color: material.baseColorFactor.slice(0, 3).map((x) => x ** (1 / 2.2)), // glTF's are linear
      vertices: new Float32Array(rest.length),
      normals: new Float32Array(rest.length),
    };
  });
}

function readChannels(gltf, nodes) {
  const [animation] = gltf.animations || [];
  return (animation ? animation.channels : []).map(({ sampler, target }) => {
    const { input, output, interpolation } = animation.samplers[sampler];
    const step = interpolation === "STEP";
    return { node: nodes[target.node], path: target.path, step, times: gltf.array(input), values: gltf.array(output) };
  });
}

// ---- posing

// Number of the last time that is not after `time`; -1 where all are.
function lastBefore(times, time) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] > time) high = middle; else low = middle + 1;
  }
  return low - 1;
}

function sample({ path, step, times, values }, time) {
  const before = Math.max(lastBefore(times, time), 0);
  const after = Math.min(before + 1, times.length - 1);
  const size = values.length / times.length;
  const [first, second] = [before, after].map((i) => values.subarray(size * i, size * i + size));
  if (step || before === after) return first;
  const share = clamp((time - times[before]) / (times[after] - times[before]), 0, 1);
  return (path === "rotation" ? slerp : blend)(first, second, share);
}

function setGlobalTransforms(nodes, numbers, parent) {
  for (const node of numbers.map((number) => nodes[number])) {
    node.globalTransform = multiply(parent, localTransform(node));
    setGlobalTransforms(nodes, node.children, node.globalTransform);
  }
}

// Linear blend skinning of the rest mesh with its morph targets.
function skin({ node, rest, targets, joints, inverse, vertexJoints, vertexWeights, vertices }) {
  const shaped = Float32Array.from(rest);
  targets.forEach((target, t) => {
    if (node.weights[t]) for (let i = 0; i < shaped.length; i++) shaped[i] += node.weights[t] * target[i];
  });
  const transforms = joints.map((joint, j) => multiply(joint.globalTransform, inverse[j]));
  vertices.fill(0);
  for (let i = 0; i < vertexWeights.length; i++) { // four for each vertex
    const weight = vertexWeights[i], m = transforms[vertexJoints[i]], v = 3 * (i >> 2);
    if (weight === 0) continue;
    for (let c = 0; c < 3; c++) {
      vertices[v + c] += weight *
        (m[c] * shaped[v] + m[c + 4] * shaped[v + 1] + m[c + 8] * shaped[v + 2] + m[c + 12]);
    }
  }
}

// Sums of the faces' normals at each vertex, as render.vertex_normals; the shader makes them unit.
function setNormals({ faces, vertices, normals }) {
  normals.fill(0);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const ux = vertices[b] - vertices[a], vx = vertices[c] - vertices[a];
    const uy = vertices[b + 1] - vertices[a + 1], vy = vertices[c + 1] - vertices[a + 1];
    const uz = vertices[b + 2] - vertices[a + 2], vz = vertices[c + 2] - vertices[a + 2];
    for (const corner of [a, b, c]) {
      normals[corner] += uy * vz - uz * vy;
      normals[corner + 1] += uz * vx - ux * vz;
      normals[corner + 2] += ux * vy - uy * vx;
    }
  }
}

function poseBodies({ gltf, nodes, channels, bodies }, time) {
  for (const channel of channels) channel.node[channel.path] = sample(channel, time);
  setGlobalTransforms(nodes, gltf.scenes[0].nodes, IDENTITY);
  for (const body of bodies) {
    body.isThere = body.joints[0].scale[0] > 0; // people have no size while they are away
    if (!body.isThere) continue;
    skin(body);
    setNormals(body);
    body.isPosed = true;
  }
}

// Least and largest x, y, z of all people over the whole animation.
function findBounds(scene) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i <= (scene.duration ? 8 : 0); i++) {
    poseBodies(scene, scene.duration * i / 8);
    for (const { vertices } of scene.bodies.filter((body) => body.isThere)) {
      vertices.forEach((x, k) => {
        if (x < low[k % 3]) low[k % 3] = x;
        if (x > high[k % 3]) high[k % 3] = x;
      });
    }
  }
  return { low, high, center: blend(low, high, 0.5), size: high.map((x, c) => x - low[c]) };
}

// ---- the camera: it looks at a target from a distance; yaw 0 is where the photographer stood

const HALF_FIELD = Math.tan(35 / 2 * Math.PI / 180); // of view, upwards; 35 degrees in all

function frontView({ center, size }, aspect) {
  const half = Math.max(size[1] / 2, size[0] / 2 / aspect);
  return { target: [...center], yaw: 0, pitch: 0, distance: 1.15 * half / HALF_FIELD + size[2] / 2 };
}

function cameraAxes({ yaw, pitch }) {
  const [sin, cos, rise, level] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  return { right: [cos, 0, -sin], up: [-sin * rise, level, -cos * rise], back: [sin * level, rise, cos * level] };
}

function viewMatrix(view) {
  const { right, up, back } = cameraAxes(view), { target, distance } = view;
  return [
    ...[0, 1, 2].flatMap((c) => [right[c], up[c], back[c], 0]),
    -dot(right, target), -dot(up, target), -dot(back, target) - distance, 1,
  ];
}

function projectionMatrix(aspect, near, far) {
  const depth = near - far;
  return [
    1 / (HALF_FIELD * aspect), 0, 0, 0, 0, 1 / HALF_FIELD, 0, 0,
    0, 0, (near + far) / depth, -1, 0, 0, 2 * near * far / depth, 0,
  ];
}

function turnView(view, right, down) {
  view.yaw -= right;
  view.pitch = clamp(view.pitch + down, -1.55, 1.55);
}

// Moves the picture by shares of its height.
function moveView(view, right, down) {
  const axes = cameraAxes(view), metres = 2 * HALF_FIELD * view.distance;
  view.target = view.target.map((x, c) => x + metres * (down * axes.up[c] - right * axes.right[c]));
}

function zoomView(view, factor) {
  view.distance = clamp(view.distance * factor, 0.1, 500);
}

// ---- drawing

// The lights of the overlay: STUDIO_LIGHTS and shade() in hmr_tf/rendering/render.py, here y up.
const VERTEX_SHADER = `#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
uniform mat4 view, projection;
uniform vec3 color;
uniform float ambient;
out vec3 shade;
void main() {
  vec4 place = view * vec4(position, 1.0);
  vec3 n = mat3(view) * normal;
  if (dot(n, n) > 0.0) n = normalize(n);
  float light = ambient + max(dot(n, vec3(0.76, 0.41, 0.50)), 0.0)
    + max(dot(n, vec3(-0.77, -0.01, -0.64)), 0.0) + max(dot(n, vec3(-0.36, -0.29, 0.54)), 0.0);
  shade = min(light * color, 1.0);
  gl_Position = projection * place;
}`;
const FRAGMENT_SHADER = `#version 300 es
precision mediump float;
in vec3 shade;
out vec4 pixel;
void main() { pixel = vec4(shade, 1.0); }`;
const FLOOR_COLOR = [0.82, 0.83, 0.85];

function makeProgram(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  const names = ["view", "projection", "color", "ambient"];
  const places = names.map((name) => [name, gl.getUniformLocation(program, name)]);
  return { program, ...Object.fromEntries(places) };
}

function makeBuffer(gl, kind, content) {
  const buffer = gl.createBuffer();
  gl.bindBuffer(kind, buffer);
  gl.bufferData(kind, content, gl.STATIC_DRAW);
  return buffer;
}

// Buffers of points, perhaps with normals, for `drawMesh`.
function makeMesh(gl, vertices, normals) {
  const mesh = { array: gl.createVertexArray() };
  gl.bindVertexArray(mesh.array);
  for (const [location, content] of [vertices, normals].entries()) {
    if (!content) continue;
    mesh[location] = makeBuffer(gl, gl.ARRAY_BUFFER, content);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, 3, gl.FLOAT, false, 0, 0);
  }
  return mesh;
}

function makeBodyMesh(gl, { faces, vertices, normals }) {
  const edges = new Uint32Array(2 * faces.length);
  for (let i = 0; i < faces.length; i++) edges.set([faces[i], faces[i % 3 === 2 ? i - 2 : i + 1]], 2 * i);
  return {
    ...makeMesh(gl, vertices, normals),
    faces: makeBuffer(gl, gl.ELEMENT_ARRAY_BUFFER, Uint32Array.from(faces)),
    edges: makeBuffer(gl, gl.ELEMENT_ARRAY_BUFFER, edges),
  };
}

// Lines on the floor, half a metre apart.
function floorLines({ low, center, size }) {
  const half = Math.ceil(Math.max(size[0], size[2], 1)), [x, y, z] = [center[0], low[1], center[2]];
  const lines = [];
  for (let i = -half; i <= half; i += 0.5) {
    lines.push(x + i, y, z - half, x + i, y, z + half, x - half, y, z + i, x + half, y, z + i);
  }
  return Float32Array.from(lines);
}

// Everything on the graphics card; made again when the browser has taken it away.
function makeGraphics(gl, { bodies, floor }) {
  gl.enable(gl.DEPTH_TEST);
  gl.enable(gl.CULL_FACE);
  gl.clearColor(1, 1, 1, 1);
  const bodyMeshes = new Map(bodies.map((body) => [body, makeBodyMesh(gl, body)]));
  return { ...makeProgram(gl), bodyMeshes, floorMesh: makeMesh(gl, floor) };
}

function drawBody(gl, graphics, body, wireframe) {
  const mesh = graphics.bodyMeshes.get(body);
  gl.bindVertexArray(mesh.array);
  if (body.isPosed) {
    for (const [location, content] of [body.vertices, body.normals].entries()) {
      gl.bindBuffer(gl.ARRAY_BUFFER, mesh[location]);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, content);
    }
    body.isPosed = false;
  }
  gl.uniform3fv(graphics.color, body.color);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, wireframe ? mesh.edges : mesh.faces);
  const [kind, count] = wireframe ? [gl.LINES, 2 * body.faces.length] : [gl.TRIANGLES, body.faces.length];
  gl.drawElements(kind, count, gl.UNSIGNED_INT, 0);
}

function draw(gl, graphics, scene, view) {
  const { width, height } = gl.canvas;
  gl.viewport(0, 0, width, height);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.useProgram(graphics.program);
  gl.uniformMatrix4fv(graphics.view, false, viewMatrix(view));
  const far = view.distance + 4 * Math.hypot(...scene.bounds.size, 2);
  gl.uniformMatrix4fv(graphics.projection, false, projectionMatrix(width / height, view.distance / 50, far));
  gl.uniform1f(graphics.ambient, 0.05);
  for (const body of scene.bodies) if (body.isThere) drawBody(gl, graphics, body, $("wire").checked);
  gl.bindVertexArray(graphics.floorMesh.array);
  gl.uniform1f(graphics.ambient, 1);
  gl.uniform3fv(graphics.color, FLOOR_COLOR);
  gl.drawArrays(gl.LINES, 0, scene.floor.length / 3);
}

// ---- mouse, fingers and keys on the canvas; `view` is changed, `changed` called after it

// Middle of all fingers, or the mouse, and the distance between two of them.
function grip(fingers) {
  const [a, b = a] = fingers.values();
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1) };
}

function drag(view, canvas, event, before, after, numFingers) {
  const right = (after.x - before.x) / canvas.clientHeight, down = (after.y - before.y) / canvas.clientHeight;
  if (numFingers > 1) {
    moveView(view, right, down);
    zoomView(view, before.apart / after.apart);
  } else if (event.buttons & 4) zoomView(view, Math.exp(2 * down));
  else if (event.buttons & 2 || event.shiftKey || event.ctrlKey || event.metaKey) moveView(view, right, down);
  else turnView(view, 2 * Math.PI * right, 2 * Math.PI * down);
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
    drag(view, canvas, event, before, grip(fingers), fingers.size);
    changed();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomView(view, Math.exp(clamp(event.deltaY, -200, 200) / 1000));
    changed();
  }, { passive: false });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM_KEYS = { "+": 0.9, "=": 0.9, "-": 1 / 0.9 };

function listenToKeys(canvas, view, changed, buttons) {
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own
    const arrow = ARROWS[event.key], zoom = ZOOM_KEYS[event.key], button = buttons[event.key];
    if (arrow && event.shiftKey) moveView(view, 0.05 * arrow[0], 0.05 * arrow[1]);
    else if (arrow) turnView(view, 0.1 * arrow[0], 0.1 * arrow[1]);
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

function readScene(bytes) {
  const gltf = readGlb(bytes), nodes = readNodes(gltf);
  const channels = readChannels(gltf, nodes), bodies = readBodies(gltf, nodes);
  const duration = Math.max(0, ...channels.map(({ times }) => times[times.length - 1]));
  Object.assign(scene, { gltf, nodes, channels, bodies, duration });
  scene.bounds = findBounds(scene);
  scene.floor = floorLines(scene.bounds);
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
  $("time").addEventListener("input", () => { setPlaying(false); setTime($("time").valueAsNumber); });
  listenToPointers(canvas, view, changed);
  listenToKeys(canvas, view, changed, { Home: $("reset"), " ": $("play") });
  new ResizeObserver(() => fitCanvas(canvas)).observe(canvas);
  fitCanvas(canvas);
  showFront();
}

function show(bytes) {
  const canvas = $("canvas"), gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
  if (!gl) throw new Error("this browser has no WebGL 2");
  readScene(bytes);
  $("player").hidden = scene.duration === 0;
  $("time").max = scene.duration;
  setTime(0);
  listen(canvas);
  setPlaying(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  let graphics = makeGraphics(gl, scene), before;
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault()); // ask for it again
  canvas.addEventListener("webglcontextrestored", () => { graphics = makeGraphics(gl, scene); isStale = true; });
  const tick = (now) => {
    const elapsed = (now - (before ?? now)) / 1000;
    before = now;
    if (playing) setTime((time + elapsed) % scene.duration);
    if ($("spin").checked) { turnView(view, -elapsed * 2 * Math.PI / 30, 0); isStale = true; }
    if (isStale) { isStale = false; draw(gl, graphics, scene, view); }
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
