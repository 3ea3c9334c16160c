"""python blender_read.py FILE FRAME OUTPUT.npz: what Blender makes of a GLB, BVH, PLY or OBJ.

Every mesh's vertices by object name, and every bone's head as ARMATURE/BONE, in Blender's z-up
frame at that frame of the scene, 24 frames a second.
"""

import sys
from pathlib import Path

import bpy
import numpy as np

IMPORTERS = {
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".bvh": lambda path: bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01),
    ".ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    ".obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
}

path, frame, output = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 24
IMPORTERS[Path(path).suffix](path)
bpy.context.scene.frame_set(int(frame))
graph = bpy.context.evaluated_depsgraph_get()
arrays = {}
for thing in bpy.data.objects:
    if thing.type == "MESH":
        shown = thing.evaluated_get(graph)
        points = [shown.matrix_world @ vertex.co for vertex in shown.to_mesh().vertices]
        arrays[thing.name] = np.array(points)
    elif thing.type == "ARMATURE":
        for bone in thing.pose.bones:
            arrays[f"{thing.name}/{bone.name}"] = np.array(thing.matrix_world @ bone.head)
np.savez(output, **arrays)
