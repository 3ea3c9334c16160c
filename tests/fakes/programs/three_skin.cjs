// node three_skin.cjs FILE SECONDS: every vertex as three.js skins it at that time, float64 in the standard
// output, mesh after mesh.
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");

(async () => {
  const root = path.join(process.env.NODE_PATH, "three");
  const load = (file) => import(pathToFileURL(path.join(root, file)));
  // Exports of three's package are modules, which NODE_PATH does not lead to.
  const THREE = await load("build/three.module.js");
  const { GLTFLoader } = await load("examples/jsm/loaders/GLTFLoader.js");
  const content = fs.readFileSync(process.argv[2]);
  const buffer = content.buffer.slice(content.byteOffset, content.byteOffset + content.length);
  const gltf = await new GLTFLoader().parseAsync(buffer, "");
  if (gltf.animations.length) {
    const mixer = new THREE.AnimationMixer(gltf.scene);
    const action = mixer.clipAction(gltf.animations[0]);
    action.setLoop(THREE.LoopOnce).clampWhenFinished = true; // else the end is the beginning
    action.play();
    mixer.setTime(Number(process.argv[3]));
  }
  gltf.scene.updateMatrixWorld(true);
  const numbers = [];
  const point = new THREE.Vector3();
  gltf.scene.traverse((object) => {
    if (!object.isSkinnedMesh) return;
    for (let i = 0; i < object.geometry.attributes.position.count; i++) {
      object.getVertexPosition(i, point);
      numbers.push(point.x, point.y, point.z);
    }
  });
  process.stdout.write(Buffer.from(new Float64Array(numbers).buffer));
})();
