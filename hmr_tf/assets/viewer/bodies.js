// The people of a GLB, posed at any time of its animation. Knows nothing of the page.
// Reads what hmr_tf/exporters/gltf writes, not every glTF file. Bodies are posed here and not on
// the graphics card: any number of morph targets, and normals of the posed surface.
"use strict";

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
    const mesh = gltf.meshes[node.mesh], skin = gltf.skins[node.skin];
    const [primitive] = mesh.primitives;
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
    return {
      node: nodes[target.node],
      path: target.path,
      step: interpolation === "STEP",
      times: gltf.array(input),
      values: gltf.array(output),
    };
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
  for (const [t, target] of targets.entries()) {
    const share = node.weights[t];
    if (share) for (let i = 0; i < shaped.length; i++) shaped[i] += share * target[i];
  }
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

// All that the page knows of a GLB; `duration` in seconds, 0 for a still.
function readScene(bytes) {
  const gltf = readGlb(bytes), nodes = readNodes(gltf);
  const channels = readChannels(gltf, nodes), bodies = readBodies(gltf, nodes);
  const duration = Math.max(0, ...channels.map(({ times }) => times[times.length - 1]));
  const scene = { gltf, nodes, channels, bodies, duration };
  scene.bounds = findBounds(scene);
  return scene;
}
