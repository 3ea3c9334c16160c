// Draws posed bodies and the floor with WebGL 2, as seen by a camera that rotates about a point.
"use strict";

// ---- the camera: it looks at a target from a distance; yaw 0 is where the photographer stood

const HALF_FIELD = Math.tan(35 / 2 * Math.PI / 180); // of view, upwards; 35 degrees in all

function frontView({ center, size }, aspect) {
  const distance = 1.15 * Math.max(size[1], size[0] / aspect) / 2 / HALF_FIELD + size[2] / 2;
  return { target: [...center], yaw: 0, pitch: 0, distance };
}

function cameraAxes({ yaw, pitch }) {
  const [sin, cos, rise, level] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  return {
    right: [cos, 0, -sin],
    up: [-sin * rise, level, -cos * rise],
    back: [sin * level, rise, cos * level],
  };
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

function rotateView(view, right, down) {
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
  const sources = { VERTEX_SHADER, FRAGMENT_SHADER };
  for (const kind in sources) {
    const shader = gl.createShader(gl[kind]);
    gl.shaderSource(shader, sources[kind]);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  const isReady = gl.getProgramParameter(program, gl.LINK_STATUS);
  if (!isReady) throw new Error(gl.getProgramInfoLog(program));
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
  for (let i = 0; i < faces.length; i++) {
    const next = i % 3 === 2 ? i - 2 : i + 1;
    edges.set([faces[i], faces[next]], 2 * i);
  }
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
  const count = body.faces.length;
  if (wireframe) gl.drawElements(gl.LINES, 2 * count, gl.UNSIGNED_INT, 0);
  else gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0);
}

function draw(gl, graphics, scene, view, wireframe) {
  const { width, height } = gl.canvas;
  gl.viewport(0, 0, width, height);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.useProgram(graphics.program);
  const near = view.distance / 50, far = view.distance + 4 * Math.hypot(...scene.bounds.size, 2);
  gl.uniformMatrix4fv(graphics.view, false, viewMatrix(view));
  gl.uniformMatrix4fv(graphics.projection, false, projectionMatrix(width / height, near, far));
  gl.uniform1f(graphics.ambient, 0.05);
  for (const body of scene.bodies) if (body.isThere) drawBody(gl, graphics, body, wireframe);
  gl.bindVertexArray(graphics.floorMesh.array);
  gl.uniform1f(graphics.ambient, 1);
  gl.uniform3fv(graphics.color, FLOOR_COLOR);
  gl.drawArrays(gl.LINES, 0, scene.floor.length / 3);
}
