"""python -m tools.movenet: runs `tools.movenet.convert_movenet`, which describes it."""

from tools.movenet import convert_movenet

if __name__ == "__main__":
    convert_movenet.run()
